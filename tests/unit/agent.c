/* agent.c: the client against the real agent in real processes, glibc's and musl's: every way to the segment, every order by every
 * way, and what is said when there is no way. */
/* LINK: inspect/client/agent.c inspect/client/anchor.c inspect/client/descriptor.c inspect/client/home.c inspect/client/names.c inspect/client/socket.c inspect/client/ticks_x86_64.c inspect/client/segment.c inspect/client/timing.c inspect/client/section.c inspect/client/live.c inspect/client/site.c inspect/model/snapshot.c inspect/model/timing.c inspect/model/plain.c inspect/target/err.c inspect/target/mem.c inspect/target/mem_pid.c inspect/target/maps.c inspect/target/proc.c inspect/target/xalloc.c */
#include "inspect/client/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/model/snapshot.h"
#include "inspect/target/err.h"
#include "tests/tap.h"

static char top[4096], dir[64], *subject;
static struct snapshot snap;
static struct err err;

struct child { pid_t pid; int to, from; char line[80]; };

static void hear(struct child *c)
{
	size_t n = 0;

	while (n < sizeof c->line - 1 && read(c->from, c->line + n, 1) == 1 && c->line[n] != '\n') n++;
	c->line[n] = 0;
}

static void tell(struct child *c, char order)
{
	if (write(c->to, &order, 1) == 1) hear(c);
}

/* Starts the subject with the agent and these settings ("NAME=value", NULL at the end). Returns when it holds its blocks. */
static struct child start(const char *const *settings)
{
	struct child c;
	int in[2], out[2];
	char var[4200];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || (c.pid = fork()) < 0) exit(1);
	if (!c.pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		snprintf(var, sizeof var, "%s/build/liballoctop.so", top);
		setenv("LD_PRELOAD", var, 1);
		setenv("ALLOCTOP_DIR", dir, 1);
		setenv("ALLOCTOP_RATE", "1", 1);
		for (; *settings; settings++) putenv((char *)*settings);
		execl(subject, "hold", NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	c.to = in[1];
	c.from = out[0];
	hear(&c);
	return c;
}

/* The helper thread begins in its own time. */
static struct child start_served(void)
{
	struct child c = start((const char *[]){ "ALLOCTOP_THREAD=always", NULL });
	struct stat st;
	char path[128];

	snprintf(path, sizeof path, "%s/%d.sock", dir, (int)c.pid);
	for (int i = 0; i < 2000 && stat(path, &st); i++) usleep(5000);
	struct agent *a = NULL;
	for (int i = 0; i < 2000 && (!a || agent_way(a) != AGENT_SOCKET); i++) {
		agent_close(a);
		usleep(i ? 5000 : 0);
		if (agent_open(c.pid, &a, &err)) a = NULL;
	}
	agent_close(a);
	return c;
}

/* Its exit status. */
static int stop(struct child *c)
{
	int status = -1;

	close(c->to);
	close(c->from);
	waitpid(c->pid, &status, 0);
	return status;
}

/* Live bytes in blocks of one size, as the last snapshot has them. */
static double live_of(uint64_t size)
{
	double sum = 0;

	for (size_t i = 0; i < snap.nlive; i++)
		if (snap.live[i].size == size) sum += snap.live[i].weight;
	return sum;
}

static int look(struct agent *a)
{
	snapshot_free(&snap);
	err = (struct err){ 0 };
	int bad = agent_snapshot(a, &snap, &err);
	if (bad) printf("# %s\n", err.text);
	return !bad;
}

static struct agent *open_pid(pid_t pid)
{
	struct agent *a = NULL;

	err = (struct err){ 0 };
	if (agent_open(pid, &a, &err)) printf("# %s\n", err.text);
	return a;
}

/* The whole of what a way must give; orders included. */
static void whole(struct child *c, enum agent_way way, const char *name)
{
	struct agent *a = open_pid(c->pid);

	if (!ok(a && agent_way(a) == way, "%s: found this way", name)) return;
	ok(look(a) && !snap.bad && !snap.torn, "%s: read", name);
	ok(live_of(1000) == 80000 && live_of(4096) == 204800, "%s: live bytes are the program's own figures", name);
	ok(snap.pid == c->pid && snap.inner_pid == c->pid && snap.rate == 1 && snap.running, "%s: head", name);
	for (int i = 0; i < 1000 && !(snap.ticks_per_s > 0); i++) usleep(1000), look(a);
	ok(snap.ticks_per_s > 1e6 && snap.age_s > 0 && snap.age_s < 100, "%s: clock", name);
	double bytes = 0;
	for (size_t i = 0; i < snap.nsites; i++) bytes += snap.site[i].live_bytes;
	ok(bytes == snap.live_bytes && snap.nmodules > 0, "%s: sites add up", name);
	tell(c, 'n');
	look(a);
	ok(snap.nthreads > 1 && !strcmp(snap.thread[1].name, "renamed"), "%s: a thread's name as it is now", name);
	tell(c, 'a');
	ok(look(a) && live_of(1000) == 90000, "%s: 10 blocks more", name);
	ok(!agent_command(a, AGENT_STOP, 0, &err), "%s: stop %s", name, err.text);
	tell(c, 'a');
	ok(look(a) && !snap.running && live_of(1000) == 90000, "%s: stopped: 10 blocks more are not seen", name);
	ok(agent_probe(c->pid) == AGENT_STOPPED, "%s: the probe says stopped", name);
	ok(!agent_command(a, AGENT_START, 0, &err) && !agent_command(a, AGENT_RESET, 0, &err), "%s: start, reset %s", name, err.text);
	ok(look(a) && snap.running && snap.epoch == 1 && live_of(1000) == 0 && live_of(4096) == 0, "%s: after a reset nothing is live", name);
	tell(c, 'b');   /* stopped it looked at its orders seldom: now it has seen them */
	tell(c, 'a');
	ok(look(a) && live_of(1000) == 10000, "%s: but what is allocated then is", name);
	ok(!agent_command(a, AGENT_RATE, 1 << 30, &err) && look(a) && snap.rate == 1 << 30, "%s: rate %s", name, err.text);
	ok(agent_probe(c->pid) == AGENT_ACTIVE, "%s: the probe says active", name);
	agent_close(a);
}

static void ways(void)
{
	struct child c = start_served();
	whole(&c, AGENT_SOCKET, "socket");
	ok(!stop(&c), "socket: the program ends as it would");

	c = start((const char *[]){ "ALLOCTOP_THREAD=never", NULL });
	whole(&c, AGENT_DESCRIPTOR, "descriptor");
	ok(!stop(&c), "descriptor: the program ends as it would");

	c = start((const char *[]){ "ALLOCTOP_THREAD=never", NULL });
	tell(&c, 'c');
	whole(&c, AGENT_MEMORY, "memory");
	ok(!stop(&c), "memory: the program ends as it would");
}

static void file(void)
{
	char path[128], var[160];
	struct agent *a = NULL;

	snprintf(path, sizeof path, "%s/segment", dir);
	snprintf(var, sizeof var, "ALLOCTOP_SEGMENT=%s", path);
	struct child c = start((const char *[]){ "ALLOCTOP_THREAD=never", var, NULL });
	struct agent *alive = open_pid(c.pid);
	ok(alive && look(alive) && live_of(1000) == 80000, "a segment in a file is found by its process, too");
	agent_close(alive);
	ok(!agent_open_file(path, &a, &err) && agent_way(a) == AGENT_FILE && look(a), "a segment file is read");
	ok(snap.pid == c.pid && live_of(4096) == 204800, "and its process is known while it lives");
	ok(!agent_command(a, AGENT_STOP, 0, &err) && look(a) && !snap.running, "and takes orders %s", err.text);
	kill(c.pid, SIGKILL);
	stop(&c);
	ok(look(a) && snap.pid == 0 && snap.inner_pid == c.pid && live_of(1000) == 80000 && live_of(4096) == 204800, "after SIGKILL all is still there");
	ok(agent_command(a, AGENT_START, 0, &err) && err.kind == ERR_GONE, "but nobody to give orders to: %s", err.text);
	agent_close(a);
	ok(!agent_open_file(path, &a, &err) && look(a) && live_of(1000) == 80000, "opened after the end");
	agent_close(a);
	ok(!truncate(path, 100000) && !agent_open_file(path, &a, &err), "a file that was cut still has its head");
	ok(look(a) && snap.bad > 0, "and says how many records are missing");
	agent_close(a);
	ok(!truncate(path, 100) && agent_open_file(path, &a, &err) && err.kind == ERR_FAIL, "%s", err.text);
	ok(agent_open_file("/dev/null", &a, &err) && err.kind == ERR_FAIL && !a, "%s", err.text);
	ok(agent_open_file("/proc/self/nonexistent/x", &a, &err) && err.sys == ENOENT, "%s", err.text);
	unlink(path);
}

static void forked(void)
{
	struct child c = start((const char *[]){ "ALLOCTOP_THREAD=never", NULL });
	struct agent *a = NULL;

	tell(&c, 'f');
	pid_t child = atoi(c.line + strlen("child "));
	ok(child > 0 && agent_open(child, &a, &err) && err.kind == ERR_UNSUPPORTED && strstr(err.text, "forked"), "a child that did nothing yet: %s", err.text);
	ok(agent_probe(child) == AGENT_LOADED, "the probe says loaded");
	tell(&c, 'a');
	ok((a = open_pid(child)) && look(a) && snap.forked_from == c.pid && snap.inner_pid == child && snap.flags & WIRE_FORKED, "then it has a segment of its own");
	ok(live_of(1000) == 10000, "with what it allocated itself");
	agent_close(a);
	ok((a = open_pid(c.pid)) && look(a) && live_of(1000) == 80000, "its parent's is as it was");
	agent_close(a);
	ok(!stop(&c), "both end as they would");
}

static void executed(void)
{
	struct child c = start((const char *[]){ "ALLOCTOP_THREAD=never", "ALLOCTOP_FOLLOW=1", NULL });
	struct agent *a = open_pid(c.pid);

	tell(&c, 'a');
	ok(a && look(a) && live_of(1000) == 90000, "before exec");
	tell(&c, 'x');
	ok(look(a) && live_of(1000) == 80000, "after exec the same agent speaks of the new program");
	kill(c.pid, SIGKILL);
	stop(&c);
	ok(agent_snapshot(a, &snap, &err) && err.kind == ERR_GONE, "after its end: %s", err.text);
	agent_close(a);
	ok(agent_open(c.pid, &a, &err) && err.kind == ERR_GONE, "%s", err.text);
}

static void threads(void)
{
	struct child c = start((const char *[]){ NULL });
	struct agent *a;
	int found = 0;

	tell(&c, 't');
	ok((a = open_pid(c.pid)) && look(a), "a program with a thread");
	for (size_t i = 0; i < snap.nlive; i++)
		if (snap.live[i].size == 12345) found = !strcmp(snap.thread[snap.live[i].thread].name, "second");
	ok(found, "a block knows its thread, and that its name");
	agent_close(a);
	kill(c.pid, SIGKILL);
	stop(&c);
}

static void absent(void)
{
	struct agent *a = NULL;
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(127);
	}
	ok(agent_open(pid, &a, &err) && err.kind == ERR_UNSUPPORTED && strstr(err.text, "alloctop run --"), "%s", err.text);
	ok(agent_probe(pid) == AGENT_NONE && agent_probe(2) == AGENT_NONE, "the probe says none");
	kill(pid, SIGKILL);
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	ok(agent_open(pid, &a, &err) && err.kind == ERR_GONE, "%s", err.text);
	waitpid(pid, NULL, 0);
	ok(agent_open(pid, &a, &err) && err.kind == ERR_GONE, "%s", err.text);
	ok(agent_probe(pid) == AGENT_NONE, "the probe of nobody says none");
}

/* Makes PID.sock a socket of our own, in the directory of sockets. */
static int impostor(pid_t pid)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s/%d.sock", dir, (int)pid);
	unlink(at.sun_path);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4)) return -1;
	return fd;
}

static void distrust(void)
{
	struct child c = start_served();
	struct agent *a;

	chmod(dir, 0777);
	ok((a = open_pid(c.pid)) && agent_way(a) == AGENT_DESCRIPTOR, "no socket from a directory where everybody can make one");
	agent_close(a);
	chmod(dir, 0700);
	kill(c.pid, SIGSTOP);
	waitpid(c.pid, NULL, WUNTRACED);
	ok((a = open_pid(c.pid)) && agent_way(a) == AGENT_DESCRIPTOR && look(a) && live_of(1000) == 80000, "a stopped process is read all the same");
	ok(!agent_command(a, AGENT_STOP, 0, &err) && look(a) && !snap.running, "and takes orders");
	agent_close(a);
	kill(c.pid, SIGCONT);
	int fd = impostor(c.pid);
	ok(fd >= 0 && (a = open_pid(c.pid)) && agent_way(a) == AGENT_DESCRIPTOR, "whoever answers in another's name is not asked");
	agent_close(a);
	int asked = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	char byte;
	ok(asked >= 0 && read(asked, &byte, 1) == 0, "it did not even hear the question");
	close(asked);
	close(fd);
	kill(c.pid, SIGKILL);
	stop(&c);
}

/* What a target answers that lies. */
enum lie { SILENT, SHORT, MAGIC, VERSION, VERB, OTHER_PID, REFUSED, NO_DESCRIPTOR, PIPE, ZERO, NO_SEGMENT, LIES };

static void answer(int s, enum lie lie)
{
	struct wire_message m;
	union { struct cmsghdr head; char bytes[CMSG_SPACE(3 * sizeof(int))]; } control = { 0 };
	struct iovec iov = { &m, sizeof m };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	int ends[2], fds[3];

	if (lie == SILENT || read(s, &m, sizeof m) != sizeof m || pipe(ends)) pause();
	m.pid = (uint32_t)getpid() + (lie == OTHER_PID);
	m.magic[0] = (char)(m.magic[0] + (lie == MAGIC));
	m.version += lie == VERSION;
	m.verb += lie == VERB;
	m.status = lie == REFUSED ? -EACCES : 0;
	if (lie == SHORT) iov.iov_len = 8;
	fds[0] = lie == PIPE ? ends[0] : open(lie == ZERO ? "/dev/zero" : "/proc/self/exe", O_RDONLY);
	fds[1] = fds[2] = ends[1];
	if (lie != NO_DESCRIPTOR) {
		h.msg_control = &control;
		h.msg_controllen = sizeof control;
		*CMSG_FIRSTHDR(&h) = (struct cmsghdr){ CMSG_LEN(sizeof fds), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), fds, sizeof fds);
	}
	sendmsg(s, &h, MSG_NOSIGNAL);
	pause();
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void liars(void)
{
	struct agent *a;
	int before = open_descriptors();

	for (enum lie lie = 0; lie < LIES; lie++) {
		int ready[2];
		char byte;
		if (pipe(ready)) exit(1);
		pid_t pid = fork();
		if (!pid) {
			int fd = impostor(getpid());
			if (write(ready[1], "", 1) != 1) _exit(1);
			answer(accept(fd, NULL, NULL), lie);
		}
		ok(read(ready[0], &byte, 1) == 1 && agent_open(pid, &a, &err) && err.kind == ERR_UNSUPPORTED && !a, "lie %d of a target: %s", lie, err.text);
		close(ready[0]);
		close(ready[1]);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	ok(open_descriptors() == before, "all descriptors that came along were closed again");
}

int main(void)
{
	static const char *const libc[] = { "hold", "hold.musl" };
	char path[4200];

	snprintf(dir, sizeof dir, "/tmp/alloctop-unit-XXXXXX");
	const char *tmp = getenv("TMPDIR");
	if (tmp && strlen(tmp) < 32) snprintf(dir, sizeof dir, "%s/alloctop-XXXXXX", tmp);
	if (!getcwd(top, sizeof top) || !mkdtemp(dir)) return 1;
	setenv("ALLOCTOP_DIR", dir, 1);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		printf("# %s\n", libc[i]);
		snprintf(path, sizeof path, "%s/build/tests/subject/%s", top, libc[i]);
		subject = path;
		ways();
		file();
		forked();
		executed();
		threads();
		distrust();
	}
	absent();
	liars();
	snapshot_free(&snap);
	snprintf(path, sizeof path, "rm -rf %s", dir);
	return system(path) ? 1 : done();
}
