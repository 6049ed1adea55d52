/* heap-own.c: a heap that knows itself, and asks its allocator what that knows. `heap-own OBJECTS THREADS [churn]` starts THREADS threads
 * and says "ready"; at the first line on its input the threads allocate OBJECTS objects of mixed sizes together, and free every third, half
 * of these those of the next thread; another thread leaves GONE objects and ends; the main thread makes some large ones. It then prints, as JSON, what is live: objects by usable size, and sums; and at "own" what the
 * allocator's own interface says, of whichever is linked or preloaded: jemalloc's mallctl, tcmalloc's MallocExtension. With
 * "churn" the threads go on replacing objects by others of the same size. A line later on makes it ask again. It ends with its input. */
/* SUBJECT: no-musl */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "heap-mixed.h"

enum { SIZES = 512, LARGE = 6, THREADS_MAX = 64, GONE = 500 };

/* whichever there is */
extern int mallctl(const char *, void *, size_t *, void *, size_t) __attribute__((weak));
extern int MallocExtension_GetNumericProperty(const char *, size_t *) __attribute__((weak));
extern int mi_version(void) __attribute__((weak));

static struct { size_t size; unsigned long n; } counts[SIZES];
static unsigned ncounts;
static unsigned long live_objects, live_bytes, requested, objects;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier, leaving;
static int threads, churn;

static void count(void *p, size_t size)
{
	size_t usable = malloc_usable_size(p);
	unsigned i = 0;

	live_objects++;
	live_bytes += usable;
	requested += size;
	while (i < ncounts && counts[i].size != usable) i++;
	if (i == SIZES) _exit(3);
	if (i == ncounts) ncounts++;
	counts[i].size = usable;
	counts[i].n++;
}

static void *leave(void *unused)
{
	static char *p[GONE];
	unsigned seed = 9;

	pthread_barrier_wait(&leaving);
	for (unsigned i = 0; i < GONE; i++) {
		size_t size = size_of(&seed);
		p[i] = memset(malloc(size), 1, size);
		count(p[i], size);
	}
	return unused;
}

static void *work(void *arg)
{
	static char **of[THREADS_MAX];
	size_t me = (size_t)arg;
	unsigned seed = (unsigned)me * 77 + 5;
	unsigned long n = objects / (unsigned)threads;

	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	char **p = of[me] = malloc(n * sizeof *p), **other;
	size_t *size = malloc(n * sizeof *size);
	for (unsigned long i = 0; i < n; i++) {
		size[i] = size_of(&seed);
		p[i] = memset(malloc(size[i]), 1, size[i]);
	}
	for (unsigned long i = 0; i < n; i += 6) free(p[i]), p[i] = NULL;
	pthread_barrier_wait(&barrier);
	other = of[(me + 1) % (unsigned)threads];
	for (unsigned long i = 3; i < n; i += 6) free(other[i]), other[i] = NULL;
	pthread_barrier_wait(&barrier);
	pthread_mutex_lock(&lock);
	count(p, n * sizeof *p);
	count(size, n * sizeof *size);
	for (unsigned long i = 0; i < n; i++)
		if (p[i]) count(p[i], size[i]);
	pthread_mutex_unlock(&lock);
	pthread_barrier_wait(&barrier);
	while (churn) {
		unsigned long i = next(&seed) % n;
		if (!p[i]) continue;
		free(p[i]);
		p[i] = memset(malloc(size[i]), 1, size[i] < 64 ? size[i] : 64);
	}
	for (;;) pause();
	return NULL;
}

static void large(void)
{
	void *p;

	for (unsigned i = 0; i < LARGE; i++) {
		size_t size = 200000 + i * 333333;
		count(memset(malloc(size), 1, size), size);
	}
	if (!posix_memalign(&p, 64, 500000)) count(memset(p, 1, 500000), 500000);
	if (!posix_memalign(&p, 65536, 700000)) count(memset(p, 1, 700000), 700000);
}

static const char *comma;

static void figure(const char *name, unsigned long v)
{
	say("%s\"%s\": %lu", comma, name, v);
	comma = ", ";
}

static void ask_mallctl(const char *name, const char *as)
{
	size_t v = 0, n = sizeof v;

	if (!mallctl(name, &v, &n, NULL, 0)) figure(as ? as : name, v);
}

static void ask_jemalloc(void)
{
	static const char *const names[] = { "stats.allocated", "stats.metadata", "stats.retained", "stats.active", "stats.arenas.4096.small.allocated",
		"stats.arenas.4096.large.allocated", "stats.arenas.4096.internal", "stats.arenas.4096.tcache_bytes", "stats.arenas.4096.pdirty", "stats.arenas.4096.pmuzzy",
		"stats.arenas.4096.base" };
	static const char *const counters[] = { "num_ops", "num_wait", "num_spin_acq", "num_owner_switch" };
	char name[80];
	uint64_t epoch = 1;

	if (mallctl("epoch", NULL, NULL, &epoch, sizeof epoch)) return;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) ask_mallctl(names[i], NULL);
	for (unsigned k = 0; k < sizeof counters / sizeof *counters; k++) {
		unsigned long sum = 0;
		for (unsigned i = 0; i < 36; i++) {
			uint64_t v = 0;
			size_t n = sizeof v;
			snprintf(name, sizeof name, "stats.arenas.4096.bins.%u.mutex.%s", i, counters[k]);
			if (!mallctl(name, &v, &n, NULL, 0)) sum += v;
		}
		figure(counters[k], sum);
	}
}

static void ask_tcmalloc(void)
{
	static const char *const names[] = { "generic.current_allocated_bytes", "generic.heap_size", "tcmalloc.central_cache_free_bytes",
		"tcmalloc.transfer_cache_free_bytes", "tcmalloc.current_total_thread_cache_bytes", "tcmalloc.pageheap_free_bytes", "tcmalloc.pageheap_unmapped_bytes" };

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		size_t v = 0;
		if (MallocExtension_GetNumericProperty(names[i], &v)) figure(names[i], v);
	}
}

static void tell(void)
{
	comma = "";
	say("{\"live_objects\": %lu, \"live_bytes\": %lu, \"requested\": %lu, \"classes\": {", live_objects, live_bytes, requested);
	for (unsigned i = 0; i < ncounts; i++) {
		char size[24];
		snprintf(size, sizeof size, "%zu", counts[i].size);
		figure(size, counts[i].n);
	}
	say("}, \"own\": {");
	comma = "";
	if (mallctl) ask_jemalloc();
	if (MallocExtension_GetNumericProperty) ask_tcmalloc();
	if (mi_version) figure("mi_version", (unsigned long)mi_version());
	say("}}\n");
}

int main(int argc, char **argv)
{
	pthread_attr_t attr;
	pthread_t t, gone;
	char byte;

	if (argc < 3) return 2;
	objects = strtoul(argv[1], NULL, 10);
	threads = atoi(argv[2]);
	churn = argc > 3;
	if (threads < 1 || threads > THREADS_MAX) return 2;
	pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&t, &attr, work, (void *)(size_t)i)) return 1;
	pthread_barrier_init(&leaving, NULL, 2);
	if (pthread_create(&gone, &attr, leave, NULL)) return 1;
	pthread_barrier_wait(&barrier);
	say("ready\n");
	if (read(0, &byte, 1) != 1) return 1;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&leaving);
	pthread_join(gone, NULL);
	large();
	do tell();
	while (read(0, &byte, 1) > 0);
	return 0;
}
