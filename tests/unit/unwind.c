/* unwind: stacks as C programs make them, each compared with libunwind. argv[1]: a library from tests/subject/unw-lib.c to open and
 * close; without it that part is left out. tests/cli/unwind builds it in other ways too. */
/* LINK: agent/modules.c agent/scan.c agent/ehframe.c agent/cfi.c agent/cfi_expression.c agent/cursor.c agent/unwind.c agent/unwind_x86_64.c */
/* CFLAGS: -fomit-frame-pointer */
/* LDLIBS: -lunwind -ldl */
#include "tests/unit/unwind_oracle.h"
#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

#define NOINLINE __attribute__((noinline))
#define KEEP __asm__ volatile("" ::: "memory")

static NOINLINE int deep(int n, int a, int b, int c)
{
	if (n == 0) oracle_check();
	int r = n > 0 ? (n & 1 ? deep(n - 1, a + b, b * c, c ^ a) : deep(n - 1, c, a, b)) : 0;
	KEEP;
	return r + a * b + c;
}

static NOINLINE int big(int n)
{
	volatile char room[9000];
	room[n] = 1;
	if (n == 0) oracle_check();
	else big(n - 1);
	KEEP;
	return room[n];
}

static NOINLINE int variable(int n, int size)
{
	volatile char *room = alloca((size_t)size);
	room[0] = 1;
	if (n == 0) oracle_check();
	else variable(n - 1, size * 2 + 1);
	KEEP;
	return room[0];
}

static NOINLINE int aligned(int n)
{
	volatile char room[64] __attribute__((aligned(64)));
	room[0] = (char)n;
	if (n == 0) oracle_check();
	else aligned(n - 1);
	KEEP;
	return room[0];
}

static NOINLINE int aligned_variable(int n, int size)
{
	volatile char room[64] __attribute__((aligned(128)));
	volatile char *more = alloca((size_t)size);
	room[0] = more[0] = (char)n;
	if (n == 0) oracle_check();
	else aligned_variable(n - 1, size + 3);
	KEEP;
	return room[0] + more[0];
}

__attribute__((force_align_arg_pointer)) static NOINLINE int realigned(int n)
{
	if (n == 0) oracle_check();
	else realigned(n - 1);
	KEEP;
	return n;
}

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	if (((x ^ y) & 7) == 0) oracle_check();
	return (x > y) - (x < y);
}

static void callbacks(void)
{
	int v[300], key = 77;
	for (int i = 0; i < 300; i++) v[i] = (i * 7919) % 301;
	qsort(v, 300, sizeof v[0], compare);
	bsearch(&key, v, 300, sizeof v[0], compare);
	void *tree = NULL;
	for (int i = 0; i < 100; i++) tsearch(&v[i], &tree, compare);
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, oracle_check);
}

static void *thread(void *arg)
{
	for (int i = 0; i < 100; i++) deep(i, 1, 2, (int)(intptr_t)arg);
	return NULL;
}

static void threads(void)
{
	pthread_t t[4];
	for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, thread, (void *)(intptr_t)i);
	for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
}

static void on_signal(int s)
{
	(void)s;
	deep(3, 1, 2, 3);
}

static void take_signals(int s, int flags)
{
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = flags };
	sigaction(s, &a, NULL);
}

static NOINLINE void raise_deep(int n, int s)
{
	if (n == 0) raise(s);
	else raise_deep(n - 1, s);
	KEEP;
}

static void signals(void)
{
	static char room[1 << 16];
	stack_t alternate = { .ss_sp = room, .ss_size = sizeof room };
	sigaltstack(&alternate, NULL);
	take_signals(SIGUSR1, 0);
	take_signals(SIGUSR2, SA_ONSTACK);
	for (int i = 0; i < 60; i++) {
		raise_deep(i, SIGUSR1);
		raise_deep(i, SIGUSR2);
	}
}

/* Interrupts whatever runs at arbitrary instructions: mostly hand-written assembly of libc, prologues and epilogues. */
static void on_timer(int s)
{
	(void)s;
	oracle_check();
}

static NOINLINE unsigned work(unsigned i)
{
	static char a[8192], b[8192];
	char text[64];
	memcpy(a, b, 1 + i % 8000);
	memset(b, (int)i, 1 + i * 7 % 8000);
	memmove(a + 5, a, i % 4000);
	b[8191] = 0;
	a[i % 8192] ^= 1;
	unsigned n = (unsigned)strlen(b) + (unsigned)(memcmp(a, b, 4000) > 0) + (unsigned)!memchr(a, 1, i % 8000);
	snprintf(text, sizeof text, "%u %s %f", i, "abc", i * 0.5);
	return n + (unsigned)strcmp(text, "abc") + (unsigned)strtol(text, NULL, 10);
}

static void interruptions(unsigned long stacks, int flags)
{
	struct sigaction a = { .sa_handler = on_timer, .sa_flags = SA_RESTART | flags };
	struct itimerval every = { { 0, 100 }, { 0, 100 } }, never = { { 0, 0 }, { 0, 0 } };
	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	unsigned sum = 0, v[64];
	for (unsigned i = 0; oracle.stacks < stacks && i < 100000000; i++) {
		sum += work(i);
		for (unsigned k = 0; k < 64; k++) v[k] = (i * 31 + k * 977) % 1009;
		sum += v[i % 64];
		KEEP;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	if (sum == 1) puts("#");
}

static ucontext_t home, away;

static void coroutine(void)
{
	for (int i = 0; i < 50; i++) {
		deep(i % 7, 1, 2, 3);
		swapcontext(&away, &home);
	}
}

/* Two stacks of one thread, taken in turns: the bounds kept for the thread are those of the other one each time. */
static void coroutines(void)
{
	static char room[1 << 16];
	getcontext(&away);
	away.uc_stack = (stack_t){ .ss_sp = room, .ss_size = sizeof room };
	away.uc_link = &home;
	makecontext(&away, coroutine, 0);
	for (int i = 0; i < 50; i++) {
		swapcontext(&home, &away);
		deep(i % 9, 1, 2, 3);
	}
}

static void library(const char *path)
{
	for (int i = 0; i < 20; i++) {
		void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (!lib) {
			printf("# %s\n", dlerror());
			return;
		}
		modules_scan();
		void (*call)(void (*)(void), int) = (void (*)(void (*)(void), int))dlsym(lib, "unw_lib_call");
		for (int k = 0; k < 10; k++) call(oracle_check, k);
		dlclose(lib);
		modules_scan();
		deep(3, 1, 2, 3);
	}
}

static struct oracle at_start;

__attribute__((constructor)) static void early(void)
{
	modules_scan();
	deep(5, 1, 2, 3);
	at_start = oracle;
}

static void late(void)
{
	oracle_begin("atexit");
	deep(5, 1, 2, 3);
	oracle_end(1);
}

int main(int argc, char **argv)
{
	printf("1..%d\n", argc > 1 ? 13 : 12);
	oracle_begin("constructor");
	oracle = at_start;
	oracle.name = "constructor";
	oracle_end(1);
	modules_scan();
	oracle_begin("recursion");
	for (int i = 0; i < 120; i++) for (int k = 0; k < 20; k++) deep(i, i, k, 3);
	oracle_end(2400);
	oracle_begin("large frames");
	for (int i = 0; i < 100; i++) big(i);
	oracle_end(100);
	oracle_begin("alloca and variable-length arrays");
	for (int i = 0; i < 12; i++) variable(i, i + 1), aligned_variable(i, i + 1);
	oracle_end(24);
	oracle_begin("realigned stacks");
	for (int i = 0; i < 60; i++) aligned(i), realigned(i);
	oracle_end(120);
	oracle_begin("callbacks through libc");
	callbacks();
	oracle_end(100);
	oracle_begin("threads");
	threads();
	oracle_end(400);
	oracle_begin("signals, own and alternate stack");
	signals();
	oracle_end(120);
	oracle_begin("coroutines");
	coroutines();
	oracle_end(100);
	oracle_begin("interrupted anywhere");
	interruptions(4000, 0);
	oracle_end(4000);
	oracle_begin("interrupted anywhere, alternate stack");
	interruptions(1000, SA_ONSTACK);
	oracle_end(1000);
	if (argc > 1) {
		oracle_begin("dlopen and dlclose");
		library(argv[1]);
		oracle_end(220);
	}
	atexit(late);
	return 0;
}
