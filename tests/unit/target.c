/* target.c: a process as the readers see it: threads, auxiliary vector, data of objects, stacks; what cannot be read; freezing. */
#include "inspect/target/target.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/freeze.h"
#include "inspect/target/mem.h"
#include "tests/tap.h"

enum { THREADS = 5 };

static int initialised = 77, zeroed[5000];
static pthread_barrier_t barrier;
static pid_t tid[THREADS];
static char *frame[THREADS];

static void *thread(void *arg)
{
	size_t i = (size_t)arg;
	char here = 0;

	tid[i] = (pid_t)syscall(SYS_gettid);
	frame[i] = &here;
	pthread_setname_np(pthread_self(), "worker");
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static int in_region(const struct target_region *r, size_t n, const void *p, int main_program)
{
	for (size_t i = 0; i < n; i++)
		if ((uintptr_t)p >= r[i].start && (uintptr_t)p < r[i].end) return r[i].main_program == main_program;
	return 0;
}

static void ourselves(void)
{
	struct target t;
	struct target_region *r;
	struct target_stack *s;
	struct err e;
	pthread_t p[THREADS];
	int stacks = 0, names = 0, pointers = 0;

	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++) pthread_create(&p[i], NULL, thread, (void *)i);
	pthread_barrier_wait(&barrier);
	if (!ok(!target_open_pid(&t, getpid(), &e), "we can be opened")) return;
	ok(t.nthreads == THREADS + 1, "%zu threads", t.nthreads);
	ok(t.at_random == getauxval(AT_RANDOM) && t.at_entry == getauxval(AT_ENTRY) && t.at_phdr == getauxval(AT_PHDR), "the auxiliary vector");
	size_t n = target_data_regions(&t, &r);
	ok(in_region(r, n, &initialised, 1), "our .data is in a region of the main program");
	ok(in_region(r, n, &zeroed[4999], 1), "so is the end of our .bss");
	ok(in_region(r, n, stdout, 0), "libc's data is in one that is not");
	ok(!in_region(r, n, frame[0], 0) && !in_region(r, n, frame[0], 1), "a stack is in none");
	for (size_t i = 1; i < n; i++) names += r[i].start >= r[i - 1].end;
	ok(names == (int)n - 1, "they ascend");
	free(r);
	n = target_stacks(&t, &s);
	for (size_t i = 0; i < THREADS; i++)
		for (size_t k = 0; k < n; k++)
			stacks += (uintptr_t)frame[i] >= s[k].start && (uintptr_t)frame[i] < s[k].end && s[k].tid == tid[i];
	ok(stacks == THREADS, "every thread's stack is found, and is its own");
	free(s);
	names = 0;
	for (size_t i = 0; i < t.nthreads; i++) {
		names += !strcmp(t.thread[i].name, "worker");
		pointers += target_thread_pointer(&t, &t.thread[i]) != 0;
	}
	ok(names == THREADS, "names of threads");
	ok(pointers == THREADS + 1, "thread pointers of all");
	char *heap = malloc(1000000);
	ok(!target_refresh(&t, &e) && target_is_anonymous(&t, (uintptr_t)heap), "memory from malloc is anonymous");
	ok(!target_is_anonymous(&t, (uintptr_t)&initialised) && !target_is_anonymous(&t, (uintptr_t)thread), "data and code are not");
	free(heap);
	pthread_barrier_wait(&barrier);
	for (size_t i = 0; i < THREADS; i++) pthread_join(p[i], NULL);
	ok(!target_refresh(&t, &e) && t.nthreads == 1, "after they have ended: one");
	target_close(&t);
}

static void peek(void)
{
	struct target t;
	struct err e;
	unsigned char in_core[8], buf[8 * 4096];
	char *m = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int same = 1, count = 0;

	madvise(m, 8 * 4096, MADV_NOHUGEPAGE);
	memset(m + 3 * 4096, 7, 4096);
	if (target_open_pid(&t, getpid(), &e)) return;
	memset(buf, 1, sizeof buf);
	ok(target_peek(&t, (uintptr_t)m + 100, buf, 7 * 4096) == 7 * 4096, "peeking");
	for (int i = 0; i < 7 * 4096; i++) same &= buf[i] == (unsigned char)(i + 100 >= 3 * 4096 && i + 100 < 4 * 4096 ? 7 : 0);
	ok(same, "it reads what is there and zeros");
	mincore(m, 8 * 4096, in_core);
	for (int i = 0; i < 8; i++) count += in_core[i] & 1;
	ok(count == 1, "and touches nothing: %d page", count);
	const struct map *code = maps_find(&t.maps, (uintptr_t)thread);
	int fd = target_file(&t, code);
	char head[4] = "";
	ok(fd >= 0 && pread(fd, head, 4, 0) == 4 && !memcmp(head, "\177ELF", 4), "the file behind a mapping");
	close(fd);
	target_close(&t);
}

static void refused(void)
{
	struct target t;
	struct err e;
	int status;

	ok(target_open_pid(&t, 1 << 30, &e) && e.kind == ERR_GONE, "no such process: %s", e.text);
	pid_t child = fork();
	if (!child) _exit(0);
	siginfo_t info;
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	ok(target_open_pid(&t, child, &e) && e.kind == ERR_UNSUPPORTED, "a zombie: %s", e.text);
	waitpid(child, &status, 0);
	child = fork();
	if (!child) for (;;) pause();
	ok(!target_open_pid(&t, child, &e), "a process");
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	ok(target_refresh(&t, &e) && e.kind == ERR_GONE, "that has ended: %s", e.text);
	target_close(&t);
}

static char state(pid_t pid)
{
	struct proc p;
	struct err e;

	return proc_read(&p, pid, &e) ? '?' : p.state;
}

static int wait_state(pid_t pid, const char *want)
{
	for (int i = 0; i < 2000 && !strchr(want, state(pid)); i++) usleep(5000);
	return strchr(want, state(pid)) != NULL;
}

static void freezing(void)
{
	struct freeze *f;
	struct err e;
	int late, fds[2];
	pid_t child = fork(), holder;
	char byte;

	if (!child) for (;;) ;
	ok(!freeze_begin(child, 5, &f, &e), "a busy process is stopped");
	ok(state(child) == 't', "it stands still");
	double s = freeze_end(f, &late);
	ok(s > 0 && s < 5 && !late && wait_state(child, "RS"), "and runs again");

	ok(!freeze_begin(child, 0.05, &f, &e), "stopped for a short time");
	ok(wait_state(child, "RS"), "it runs again when the time is up");
	freeze_end(f, &late);
	ok(late, "and we are told");

	/* whoever holds it is killed: with no chance to clean up */
	if (pipe(fds)) return;
	holder = fork();
	if (!holder) {
		byte = freeze_begin(child, 1000, &f, &e) ? 'n' : 'y';
		if (write(fds[1], &byte, 1) != 1) _exit(1);
		for (;;) pause();
	}
	ok(read(fds[0], &byte, 1) == 1 && byte == 'y' && state(child) == 't', "another process of ours has stopped it");
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	ok(wait_state(child, "RS"), "killed: it runs again");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ok(freeze_begin(child, 1, &f, &e) && e.kind == ERR_GONE, "one that has ended: %s", e.text);
}

int main(void)
{
	zeroed[0] = initialised;
	ourselves();
	peek();
	refused();
	freezing();
	return done();
}
