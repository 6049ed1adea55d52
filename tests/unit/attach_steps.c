/* attach_steps.c: a step of attaching and detaching fails, kills alloctop, or meets the death of the process: and the process is as it was before,
 * or all of it can be put back by another alloctop. On a subject that allocates in three threads, starts others and forks (churn), for glibc and musl. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/attach/attach.h"
#include "inspect/attach/step.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"
#include "tests/tap.h"

static const char image[] = "build/alloctop-attach.so";

/* ---- the subject ---------------------------------------------------------------------------------------------------------------------- */

struct subject { pid_t pid; int in; FILE *out; };

static struct subject start(const char *path)
{
	struct subject s = { 0 };
	int in[2], out[2];
	char line[32];

	if (pipe(in) || pipe(out)) abort();
	s.pid = fork();
	if (!s.pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		for (int i = 3; i < 64; i++) close(i);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	close(in[0]), close(out[1]);
	s.in = in[1];
	s.out = fdopen(out[0], "r");
	if (!fgets(line, sizeof line, s.out)) printf("# %s does not start\n", path);
	return s;
}

/* 1: it ended well, and nothing in it was damaged. */
static int end(struct subject *s)
{
	char line[64] = "";
	unsigned wrong = 1;
	int status;

	close(s->in);
	if (!fgets(line, sizeof line, s->out)) *line = 0;
	fclose(s->out);
	waitpid(s->pid, &status, 0);
	if (WIFSIGNALED(status)) printf("# it was ended by signal %d\n", WTERMSIG(status));
	return sscanf(line, "wrong %u", &wrong) == 1 && !wrong && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* ---- what must be as before -------------------------------------------------------------------------------------------------------------- */

struct state { char *text; size_t n; uint64_t *slot; size_t slots; };

static struct attach_options options = { .image = image, .rate = 4096, .depth = 32 };

/* The bytes of all mappings of files that are not writable, and the words that lead to the allocator. */
static struct state state_of(pid_t pid)
{
	struct state s = { 0 };
	struct attach_plan p;
	struct err e;

	if (attach_plan(&p, pid, &options, &e)) printf("# %s\n", e.text);
	for (size_t i = 0; i < p.target.maps.n; i++) {
		const struct map *m = &p.target.maps.map[i];
		if (!m->inode || m->write || !m->read) continue;
		s.text = xreallocarray(s.text, s.n + (m->end - m->start), 1);
		s.n += mem_read_some(p.target.mem, m->start, s.text + s.n, m->end - m->start);
	}
	s.slots = p.nwrites;
	s.slot = xcalloc(p.nwrites + 1, sizeof *s.slot);
	for (size_t i = 0; i < p.nwrites; i++) memcpy(&s.slot[i], p.write[i].old, 8);
	attach_plan_free(&p);
	return s;
}

static int same(const struct state *a, const struct state *b)
{
	size_t at = 0;

	while (at < a->n && at < b->n && a->text[at] == b->text[at]) at++;
	if (a->n != b->n || at < a->n) printf("# %zu and %zu bytes of files, differing from %zu on\n", a->n, b->n, at);
	if (a->slots != b->slots) printf("# %zu and %zu words\n", a->slots, b->slots);
	return a->n == b->n && a->slots == b->slots && !memcmp(a->text, b->text, a->n) && !memcmp(a->slot, b->slot, a->slots * sizeof *a->slot);
}

static void drop(struct state *s)
{
	free(s->text);
	free(s->slot);
}

static uint64_t reserved;       /* of the subject itself: what is anonymous, and may only be read */

/* But for the page that is found by what stands in it. */
static uint64_t reserved_in(const struct target *t, uint64_t home)
{
	uint64_t n = 0;

	for (size_t i = 0; i < t->maps.n; i++) {
		const struct map *m = &t->maps.map[i];
		if (!m->inode && !*m->path && m->read && !m->write && !m->exec && m->start != home) n += m->end - m->start;
	}
	return n;
}

/* Nothing of ours is mapped. */
static int is_clean(pid_t pid)
{
	struct target t;
	struct home h;
	struct err e;
	int clean = 0;

	if (target_open_pid(&t, pid, &e)) return 0;
	uint64_t at = home_find(&t.maps, t.mem, &h);
	clean = (!at || h.state == HOME_EMPTY) && reserved_in(&t, at) == reserved;
	for (size_t i = 0; i < t.maps.n; i++) {
		const struct map *m = &t.maps.map[i];
		if (m->exec && !m->inode && !*m->path && m->start != at + HOME_PAGE) clean = 0;
	}
	target_close(&t);
	return clean;
}

static void note_reserved(pid_t pid)
{
	struct target t;
	struct err e;

	if (target_open_pid(&t, pid, &e)) return;
	reserved = reserved_in(&t, 0);
	target_close(&t);
}

/* Soon: a thread that finds its way back after a death of ours may take a while. */
static int settles(pid_t pid)
{
	struct attach_undone u;
	struct err e;

	for (int i = 0; i < 100 && !is_clean(pid); i++) {
		usleep(10000);
		attach_undo(pid, &u, &e);
	}
	return is_clean(pid);
}

/* ---- steps -------------------------------------------------------------------------------------------------------------------------------- */

static enum { COUNT, FAIL, DIE, KILL } mode;
static int at, count;
static pid_t victim;
static char last[32];

static int hook(const char *name)
{
	int here = count++ == at;

	if (!here || mode == COUNT) return 0;
	snprintf(last, sizeof last, "%s", name);
	if (mode == DIE) kill(getpid(), SIGKILL);
	if (mode == KILL) kill(victim, SIGKILL);
	return mode == FAIL;
}

static int attach(pid_t pid, struct err *e)
{
	struct attach_plan p;
	struct attach_result r;
	int bad;

	count = 0;
	bad = attach_plan(&p, pid, &options, e) || attach_apply(&p, &r, e);
	attach_plan_free(&p);
	return bad;
}

static int detach(pid_t pid, struct err *e)
{
	struct attach_undone u;

	count = 0;
	return attach_undo(pid, &u, e) || u.image_left || u.changed;
}

/* In a process of its own. 1: it was killed at its step. */
static int die_in(int (*what)(pid_t, struct err *), pid_t pid)
{
	pid_t child = fork();
	struct err e = { 0 };
	int status;

	if (!child) _exit(what(pid, &e) ? 1 : 0);
	waitpid(child, &status, 0);
	return WIFSIGNALED(status);
}

static int steps_of(int (*what)(pid_t, struct err *), pid_t pid)
{
	struct err e = { 0 };

	mode = COUNT;
	if (what(pid, &e)) printf("# %s\n", e.text);
	return count;
}

/* A thread that finds its way back after a death of ours may take a while, and the bytes that it needs stay until then. */
static int same_soon(const struct state *before, pid_t pid)
{
	int good = 0;

	for (int i = 0; i < 100 && !good; i++) {
		struct state now = state_of(pid);
		struct err e;
		good = same(before, &now);
		free(now.text);
		free(now.slot);
		if (good) break;
		usleep(20000);
		detach(pid, &e);
	}
	return good;
}

/* The process ends at a step. */
static void ends(const char *path, int stride, int attaching)
{
	struct err e = { 0 };
	int gone = 0, victims = 0;

	step_hook = hook;
	mode = KILL;
	for (at = getpid() % (2 * stride); at < attaching; at += 2 * stride) {
		struct subject v = start(path);
		victim = v.pid;
		victims++;
		gone += attach(v.pid, &e) && e.kind == ERR_GONE;
		close(v.in);
		fclose(v.out);
		kill(v.pid, SIGKILL);
		waitpid(v.pid, NULL, 0);
		if (e.kind != ERR_GONE) printf("# at %s: %s\n", last, e.text);
	}
	ok(gone >= victims - 2, "%s: the process ends at a step: said so, %d times of %d (at the last steps all is done)", path, gone, victims);
	step_hook = NULL;
}

/* Each step is a stop of the process: a run takes one in so many, another run others. With an argument of 1: all. */
static void test(const char *path, int stride)
{
	struct subject s = start(path);
	struct err e = { 0 };
	int first = getpid() % stride, bad_attach = 0, bad_detach = 0, bad_death = 0, deaths = 0;

	step_hook = hook;
	struct state before = state_of(s.pid);
	note_reserved(s.pid);
	int attaching = steps_of(attach, s.pid);
	int detaching = steps_of(detach, s.pid);
	ok(attaching > 30 && detaching > 10, "%s: %d steps to attach, %d to detach", path, attaching, detaching);
	ok(is_clean(s.pid), "%s: nothing is left", path);

	mode = FAIL;
	for (at = first; at < attaching; at += stride) {
		/* a step on the way out fails nothing */
		if (!attach(s.pid, &e)) {
			int keep = at;
			at = -1;
			detach(s.pid, &e);
			at = keep;
		} else if (!is_clean(s.pid)) {
			printf("# attach failed at %s and left something: %s\n", last, e.text);
			bad_attach++;
		}
	}
	struct state after = state_of(s.pid);
	ok(!bad_attach && same(&before, &after), "%s: attaching fails at steps of %d, and leaves everything as it was", path, attaching);
	drop(&after);

	for (at = first; at < detaching; at += stride) {
		int keep = at;
		at = -1;
		if (attach(s.pid, &e)) printf("# %s\n", e.text), bad_detach++;
		at = keep;
		detach(s.pid, &e);
		at = -1;
		detach(s.pid, &e);
		at = keep;
		if (!is_clean(s.pid)) printf("# left after %s: %s\n", last, e.text), bad_detach++;
	}
	after = state_of(s.pid);
	ok(!bad_detach && same(&before, &after), "%s: detaching fails at steps of %d, and is done by another attempt", path, detaching);
	drop(&after);

	mode = DIE;
	for (at = first; at < attaching; at += stride) {
		deaths += die_in(attach, s.pid);
		mode = COUNT;
		detach(s.pid, &e);
		if (!settles(s.pid)) printf("# left after death %d: %s\n", at, e.text), bad_death++;
		mode = DIE;
	}
	ok(!bad_death && same_soon(&before, s.pid), "%s: killed at steps of attaching (%d times): detach puts everything back", path, deaths);
	for (at = first, deaths = bad_death = 0; at < detaching; at += stride) {
		mode = COUNT;
		if (attach(s.pid, &e)) printf("# %s\n", e.text), bad_death++;
		mode = DIE;
		deaths += die_in(detach, s.pid);
		mode = COUNT;
		detach(s.pid, &e);
		if (!settles(s.pid)) printf("# left after death %d: %s\n", at, e.text), bad_death++;
	}
	ok(!bad_death && same_soon(&before, s.pid), "%s: killed at steps of detaching (%d times): another does it", path, deaths);
	drop(&before);
	step_hook = NULL;
	ok(end(&s), "%s: it has not noticed any of it", path);
	ends(path, stride, attaching);
}

int main(int argc, char **argv)
{
	int stride = argc > 1 ? atoi(argv[1]) : 4;

	test("build/tests/subject/churn", stride > 0 ? stride : 1);
	test("build/tests/subject/churn.musl", stride > 0 ? stride : 1);
	return done();
}
