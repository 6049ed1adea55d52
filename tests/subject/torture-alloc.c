/* torture-alloc: an allocator to preload behind the agent that signal handlers may enter and leave by siglongjmp at any point: no
 * lock, one flag per slot. Slots are used again soon, so that an address the agent lost track of comes back to haunt it. */
/* CFLAGS: -shared -fPIC -fno-builtin */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SLOT = 4096, SLOTS = 1 << 14, HEADER = 64 };

/* In front of each block; the block begins at a multiple of its alignment. */
struct header { size_t size, mapped; void *start; unsigned char *flag; };

static char arena[SLOTS][SLOT] __attribute__((aligned(SLOT)));
static unsigned char used[SLOTS];
static unsigned fresh, recent[8], turn;         /* slots never used; freed lately */

static struct header *header_of(void *p) { return (struct header *)((char *)p - HEADER); }

static void *place(char *start, size_t size, size_t mapped, size_t al, unsigned char *flag)
{
	char *p = (char *)(((uintptr_t)start + HEADER + al - 1) & -al);
	*header_of(p) = (struct header){ size, mapped, start, flag };
	return p;
}

static int claim(unsigned at)
{
	unsigned char no = 0;
	return at < SLOTS && __atomic_compare_exchange_n(&used[at], &no, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* A free slot, SLOTS when there is none. */
static unsigned slot(void)
{
	for (unsigned i = 0; i < 8; i++) {
		unsigned at = __atomic_load_n(&recent[i], __ATOMIC_RELAXED) - 1;
		if (claim(at)) return at;
	}
	for (unsigned at; (at = __atomic_fetch_add(&fresh, 1, __ATOMIC_RELAXED)) < SLOTS;)
		if (claim(at)) return at;
	fresh = SLOTS;
	for (unsigned at = 0; at < SLOTS; at++)
		if (claim(at)) return at;
	return SLOTS;
}

static void *get(size_t n, size_t al)
{
	unsigned at = n <= SLOT - HEADER - al && al < SLOT / 2 ? slot() : SLOTS;
	if (at < SLOTS) return place(arena[at], n, 0, al, &used[at]);
	size_t whole = n + HEADER + al;
	void *m = n > PTRDIFF_MAX ? MAP_FAILED : mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED) {
		errno = ENOMEM;
		return NULL;
	}
	return place(m, n, whole, al, NULL);
}

void *malloc(size_t n) { return get(n, 16); }
void *aligned_alloc(size_t al, size_t n) { return get(n, al < 16 ? 16 : al); }

void free(void *p)
{
	struct header *h = p ? header_of(p) : NULL;
	if (!p) return;
	if (h->mapped) {
		munmap(h->start, h->mapped);
		return;
	}
	unsigned at = (unsigned)(h->flag - used);
	__atomic_store_n(h->flag, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&recent[__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % 8], at + 1, __ATOMIC_RELAXED);
}

void *calloc(size_t a, size_t b)
{
	size_t n;
	if (__builtin_mul_overflow(a, b, &n)) {
		errno = ENOMEM;
		return NULL;
	}
	void *p = get(n, 16);
	return p ? memset(p, 0, n) : NULL;
}

void *realloc(void *p, size_t n)
{
	void *q = get(n, 16);
	if (p && q) {
		size_t old = header_of(p)->size;
		memcpy(q, p, old < n ? old : n);
		free(p);
	}
	return q;
}
