/* torture-life: allocations before main, after it, and while objects come and go. `early` and `late` are judged by what the whole
 * life of the process prints. */
/* CFLAGS: -rdynamic */
/* LDLIBS: -ldl */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/wait.h>
#include "torture.h"

static void *from_preinit, *from_constructor;
static int stop, calls;

static void preinit(void)
{
	from_preinit = keep(malloc(300));
	memset(from_preinit, 1, 300);
	churn(20);
}

/* Runs before any constructor, even those of libraries. glibc only: in a program linked with musl it is never called. */
__attribute__((section(".preinit_array"), used)) static void (*const preinit_entry)(void) = preinit;

__attribute__((constructor)) static void constructor(void)
{
	from_constructor = keep(realloc(keep(malloc(20)), 500));
	churn(20);
}

static void early(void)
{
	churn(100);
	free(from_preinit);
	free(from_constructor);
	/* a library that was preloaded before the agent, see torture-early */
	void (*check)(void) = (void (*)(void))(uintptr_t)dlsym(RTLD_DEFAULT, "torture_early_check");
	if (getenv("TORTURE_EARLY")) CHECK(check, "the early library is not there");
	if (check) check();
}

static void at_exit_second(void)
{
	churn(50);
	printf("second handler\n");
}

static void at_exit_first(void)
{
	churn(50);
	atexit(at_exit_second);
	printf("first handler\n");
}

__attribute__((destructor)) static void destructor(void)
{
	churn(50);
	free(keep(malloc(100000)));
	if (calls) printf("destructor\n");
	fflush(stdout);
	churn(50);
}

static void late(void)
{
	calls = 1;
	for (int i = 0; i < 40; i++) CHECK(!atexit(i ? (void (*)(void))at_exit_second : at_exit_first), "atexit");
	churn(50);
}

static const char *library(void)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
	CHECK(n > 0, "readlink");
	path[n] = 0;
	char *end = strrchr(path, '/') + 1;
	strcpy(end, strstr(end, ".musl") ? "torture-lib.musl" : "torture-lib");
	return path;
}

/* Opens the library, allocates from inside of it, closes it with its blocks still there, and frees them. */
static void open_close(const char *path)
{
	void *block[8];
	void *h = dlopen(path, RTLD_NOW);
	CHECK(h, "%s", dlerror());
	void *(*make)(int, size_t) = (void *(*)(int, size_t))(uintptr_t)dlsym(h, "torture_lib_make");
	CHECK(make, "%s", dlerror());
	for (int i = 0; i < 8; i++) block[i] = make(i, 100 + (size_t)i * 40);
	CHECK(!dlclose(h), "dlclose");
	for (int i = 0; i < 8; i++) free(block[i]);
	churn(2);
}

static void reopen(void)
{
	const char *path = library();
	for (int i = 0; i < 1000; i++) open_close(path);
	CHECK(!dlopen("/nonexistent.so", RTLD_NOW) && dlerror(), "a library that is not there");
	CHECK(!dlsym(RTLD_DEFAULT, "no_such_symbol_anywhere") && dlerror(), "a symbol that is not there");
}

static void *deep(void *arg);
static __attribute__((noinline)) void *descend(int depth)
{
	void *p = depth ? descend(depth - 1) : deep(NULL);
	__asm__ volatile("" : : : "memory");
	return p;
}

static void *deep(void *arg)
{
	if (!arg) {
		churn(1);
		return NULL;
	}
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) descend(30);
	return arg;
}

/* Others unwind while objects come and go. */
static void reopen_threads(void)
{
	const char *path = library();
	pthread_t t[3];
	for (int i = 0; i < 3; i++) CHECK(!pthread_create(&t[i], NULL, deep, &stop), "no thread");
	for (int i = 0; i < 500; i++) open_close(path);
	stop = 1;
	for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
}

static void *opener(void *arg)
{
	for (int i = 0; i < 150; i++) open_close(arg);
	return arg;
}

static void reopen_in_threads(void)
{
	char *path = strdup(library());
	pthread_t t[4];
	for (int i = 0; i < 4; i++) CHECK(!pthread_create(&t[i], NULL, opener, path), "no thread");
	for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
	free(path);
}

extern char **environ;

/* As setproctitle does it: the memory of the environment becomes a title, while the agent's thread begins its work. */
static void title(void)
{
	for (int i = 0; i < 200; i++) {
		pthread_t t;
		int s;
		pid_t pid = fork();
		if (pid) {
			CHECK(waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 7, "child %d ended with %#x", i, s);
			continue;
		}
		stop = 1;
		char **e = environ;
		CHECK(!pthread_create(&t, NULL, deep, &stop), "no thread");
		for (; *e; e++) *e = (char *)(uintptr_t)(0x1000 + (uintptr_t)i);
		pthread_join(t, NULL);
		usleep(1000);
		_exit(7);
	}
}

/* Is the agent there at all? TORTURE_AGENT says whether it should be. */
static void loaded(void)
{
	char line[4096];
	int found = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	CHECK(f, "maps");
	while (fgets(line, sizeof line, f)) found |= strstr(line, "/liballoctop.so") != NULL;
	fclose(f);
	CHECK(found == (getenv("TORTURE_AGENT") != NULL), "the agent is%s loaded", found ? "" : " not");
}

static const struct mode modes[] = {
	{ "loaded", loaded }, { "early", early }, { "late", late }, { "title", title }, { "reopen", reopen }, { "reopen-threads", reopen_threads },
	{ "reopen-in-threads", reopen_in_threads },
};
TORTURE_MAIN(modes)
