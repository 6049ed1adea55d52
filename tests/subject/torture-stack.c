/* torture-stack: how deep does each hooked function go? Calls it on a thread whose stack was painted before, cold (a thread
 * that was never seen, code that was never walked), then again, and prints the bytes below the call that were touched. The test takes
 * the difference between a run with the agent and one without. */
/* CFLAGS: -fno-builtin -Wl,-z,now */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "torture.h"

enum { STACK = 1 << 20, PAINT = 0xa5 };

static void *p, *block;

static void f_nothing(void) { }
static void f_malloc(void) { p = malloc(100); }
static void f_calloc(void) { p = calloc(3, 100); }
static void f_realloc_new(void) { p = realloc(NULL, 100); }
static void f_realloc(void) { p = realloc(block, 5000); }
static void f_reallocarray(void) { p = reallocarray(block, 50, 100); }
static void f_free(void) { free(block); }
static void f_memalign(void) { p = memalign(64, 200); }
static void f_aligned_alloc(void) { p = aligned_alloc(64, 192); }
static void f_valloc(void) { p = valloc(200); }
static void f_strdup(void) { p = strdup("some text"); }
static void f_strndup(void) { p = strndup("some text", 5); }
static void f_posix_memalign(void) { if (posix_memalign(&p, 64, 200)) p = NULL; }

static const struct { const char *name; void (*call)(void); } functions[] = {
	{ "malloc", f_malloc }, { "calloc", f_calloc }, { "realloc-new", f_realloc_new }, { "realloc", f_realloc },
	{ "reallocarray", f_reallocarray }, { "free", f_free }, { "memalign", f_memalign }, { "aligned_alloc", f_aligned_alloc },
	{ "valloc", f_valloc }, { "strdup", f_strdup }, { "strndup", f_strndup }, { "posix_memalign", f_posix_memalign },
};

static void (*call)(void);
static unsigned char *low;

/* Paints everything that lies free below, calls, and looks how far down something was written. */
static __attribute__((noinline)) size_t touched(void)
{
	unsigned char *end;
	__asm__ volatile("mov %%rsp, %0" : "=r"(end));  /* we call: nothing of ours is below it */
	for (unsigned char *at = low; at < end; at++) *(volatile unsigned char *)at = PAINT;
	call();
	unsigned char *at = low;
	while (at < end && *(volatile unsigned char *)at == PAINT) at++;
	return (size_t)(end - at);
}

static void *measure(void *arg)
{
	*(size_t *)arg = touched();
	return NULL;
}

static size_t on_thread(void (*fn)(void), unsigned char *stack)
{
	pthread_attr_t a;
	pthread_t t;
	size_t depth = 0;
	call = fn;
	low = stack + 4096;
	pthread_attr_init(&a);
	CHECK(!pthread_attr_setstack(&a, stack, STACK) && !pthread_create(&t, &a, measure, &depth) && !pthread_join(t, NULL), "thread");
	return depth;
}

static void measure_all(const char *when)
{
	unsigned char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(stack != MAP_FAILED, "mmap");
	on_thread(f_nothing, stack);
	for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
		block = malloc(100);
		printf("%s %s: %zu\n", when, functions[i].name, on_thread(functions[i].call, stack));
	}
	fflush(stdout);
}

static void all(void) { measure_all("first"); measure_all("second"); measure_all("third"); }

/* The first call in a forked child gives it a segment of its own. */
static void child(void)
{
	int s;
	pid_t pid = fork();
	if (!pid) {
		measure_all("child");
		_exit(7);
	}
	CHECK(waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 7, "child ended with %#x", s);
}

static const struct mode modes[] = { { "all", all }, { "child", child } };
TORTURE_MAIN(modes)
