/* loader.c: the three functions of the process that we pass on, to be told of what we may only learn outside of an allocation: that it
 * has threads, and that objects came or went. dlopen itself is left alone: it looks at its caller, and whoever opens an object asks
 * for a symbol next. dlsym looks at its caller too, which a tail call keeps. */
#include "cc.h"
#include "life.h"
#include "real.h"

EXPORT int pthread_create(void *thread, const void *attribute, void *(*run)(void *), void *arg);
EXPORT int pthread_create(void *thread, const void *attribute, void *(*run)(void *), void *arg)
{
	static struct real real = { .name = "pthread_create" };
	int (*fn)(void *, const void *, void *(*)(void *), void *) = (int (*)(void *, const void *, void *(*)(void *), void *))real_find(&real);
	if (!fn) return 38;     /* ENOSYS: no thread library in this process */
	int failed = fn(thread, attribute, run, arg);
	if (!failed) life_thread_started();
	return failed;
}

EXPORT void *dlsym(void *handle, const char *name);
EXPORT void *dlsym(void *handle, const char *name)
{
	static struct real real = { .name = "dlsym" };
	void *(*fn)(void *, const char *) = (void *(*)(void *, const char *))real_find(&real);
	life_objects_changed();
	return fn ? fn(handle, name) : 0;
}

EXPORT int dlclose(void *handle);
EXPORT int dlclose(void *handle)
{
	static struct real real = { .name = "dlclose" };
	int (*fn)(void *) = (int (*)(void *))real_find(&real);
	int failed = fn ? fn(handle) : -1;
	life_objects_changed();
	return failed;
}
