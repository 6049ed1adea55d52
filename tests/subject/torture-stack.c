/* torture-stack: see torture-stack.h: the functions of C, and malloc in a signal handler. */
/* CFLAGS: -fno-builtin -Wl,-z,now */
#include <malloc.h>
#include <signal.h>
#include "torture-stack.h"

static void *p;

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
static void handler(int sig) { (void)sig, p = malloc(300); }
static void f_in_handler(void) { raise(SIGUSR1); }

static const struct function functions[] = {
	{ "malloc", f_malloc }, { "calloc", f_calloc }, { "realloc-new", f_realloc_new }, { "realloc", f_realloc },
	{ "reallocarray", f_reallocarray }, { "free", f_free }, { "memalign", f_memalign }, { "aligned_alloc", f_aligned_alloc },
	{ "valloc", f_valloc }, { "strdup", f_strdup }, { "strndup", f_strndup }, { "posix_memalign", f_posix_memalign },
	{ "in-handler", f_in_handler },
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

static void all(void)
{
	signal(SIGUSR1, handler);
	measure_thrice(functions, FUNCTIONS);
}

static void known(void)
{
	thread_known = 1;
	all();
}

static void child(void)
{
	signal(SIGUSR1, handler);
	measure_child(functions, FUNCTIONS);
}

static const struct mode modes[] = { { "all", all }, { "known", known }, { "child", child } };
TORTURE_MAIN(modes)
