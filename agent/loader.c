/* loader.c: see loader.h. What the process's loader tells us: that it starts and ends; and the functions of the process that we pass on, to be
 * told of what we may only learn outside of an allocation: that it has threads, that objects came or went, and that it forks. dlopen itself
 * is left alone: it looks at its caller, and whoever opens an object asks for a symbol next. dlsym looks at its caller too, which a tail
 * call keeps. */
#include "loader.h"
#include "cc.h"
#include "hook.h"
#include "life.h"
#include "real.h"
#include "serve.h"
#include "settings.h"
#include "sys.h"
#include "thread.h"

EXPORT int HOOK(pthread_create)(void *thread, const void *attribute, void *(*run)(void *), void *arg);
EXPORT int HOOK(pthread_create)(void *thread, const void *attribute, void *(*run)(void *), void *arg)
{
	static struct real real = { .name = "pthread_create" };
	int (*fn)(void *, const void *, void *(*)(void *), void *) = (int (*)(void *, const void *, void *(*)(void *), void *))real_find(&real);
	if (!fn) return 38;     /* ENOSYS: no thread library in this process */
	int failed = fn(thread, attribute, run, arg);
	if (!failed) life_thread_started();
	return failed;
}

EXPORT void *HOOK(dlsym)(void *handle, const char *name);
EXPORT void *HOOK(dlsym)(void *handle, const char *name)
{
	static struct real real = { .name = "dlsym" };
	void *(*fn)(void *, const char *) = (void *(*)(void *, const char *))real_find(&real);
	life_objects_changed();
	return fn ? fn(handle, name) : 0;
}

EXPORT int HOOK(dlclose)(void *handle);
EXPORT int HOOK(dlclose)(void *handle)
{
	static struct real real = { .name = "dlclose" };
	int (*fn)(void *) = (int (*)(void *))real_find(&real);
	int failed = fn ? fn(handle) : -1;
	life_objects_changed();
	return failed;
}

static uint32_t looking, forking;       /* is the helper thread in the loader; threads of the program in fork */

void loader_look(void)
{
	__atomic_store_n(&looking, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&forking, __ATOMIC_SEQ_CST)) life_objects_changed();
	__atomic_store_n(&looking, 0, __ATOMIC_SEQ_CST);
}

/* Not for ever: who forks out of a callback of the loader holds its lock, and then it is the helper that waits. */
static void wait_for_helper(void)
{
	enum { ROUNDS = 200 };
	struct { long s, ns; } pause = { 0, 100000 };
	for (int i = 0; i < ROUNDS && __atomic_load_n(&looking, __ATOMIC_SEQ_CST); i++) SYS(__NR_nanosleep, &pause, 0, 0, 0, 0, 0);
}

EXPORT int HOOK(fork)(void);
EXPORT int HOOK(fork)(void)
{
	static struct real real = { .name = "fork" };
	int (*fn)(void) = (int (*)(void))real_find(&real);
	if (!fn) return -1;
	__atomic_fetch_add(&forking, 1, __ATOMIC_SEQ_CST);
	wait_for_helper();
	int pid = fn();
	if (pid) {
		ADD(forking, -1u);
	} else {
		STORE(forking, 0);
		STORE(looking, 0);
	}
	return pid;
}

__attribute__((constructor)) static void constructed(void)
{
	if (!life_ready()) return;
	life_objects_changed();         /* a static program's first allocations come before its loader knows the program */
	if (settings.thread == SETTINGS_THREAD_ALWAYS) serve_start();
}

/* The last word of a program that ends in order: what its last thread had not flushed yet, and no socket left behind. */
__attribute__((destructor)) static void destructed(void)
{
	if (!life_running()) return;
	struct thread *t = thread_self();
	if (t->enrolled == life_generation()) thread_flush(t);
	serve_end();
}
