/* window.h: how readers of an allocator look at many small records of a target: a few pages are kept, so that records that lie together
 * cost one system call; and how they look through an object's data. For inspect/allocator. */
#ifndef ALLOCTOP_WINDOW_H
#define ALLOCTOP_WINDOW_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct target;
struct target_region;
struct window;

struct window *window_open(const struct target *t);
void window_close(struct window *w);
/* n bytes at addr: 0, or -1 when not all can be read, and buf is zeros. What was read once may be told again: it is a moment old. */
int window_read(struct window *w, uint64_t addr, void *buf, size_t n);
/* The pages of n bytes at addr at once, at most WINDOW_LOAD bytes, for records in all of them. */
enum { WINDOW_LOAD = 64 << 10 };
void window_load(struct window *w, uint64_t addr, size_t n);
/* One word; 0 when it cannot be read. */
uint64_t window_u64(struct window *w, uint64_t addr);
/* How many bytes of the target were read. */
uint64_t window_cost(const struct window *w);

/* Looks through a region piece by piece, from `from` on. `fn` is given pieces that overlap by less than `tail` bytes (8 or more), and looks at what begins at
   offsets that are multiples of 8, up to n - tail. It returns 1 to stop. Returns 1 if it did. */
typedef int window_scan_fn(void *arg, uint64_t addr, const char *bytes, size_t n);
int window_scan(const struct target *t, const struct target_region *r, uint64_t from, size_t tail, window_scan_fn *fn, void *arg);

static inline uint64_t window_word(const void *p, size_t at)
{
	uint64_t v;

	memcpy(&v, (const char *)p + at, sizeof v);
	return v;
}

static inline uint32_t window_half(const void *p, size_t at)
{
	uint32_t v;

	memcpy(&v, (const char *)p + at, sizeof v);
	return v;
}

static inline uint16_t window_quarter(const void *p, size_t at)
{
	uint16_t v;

	memcpy(&v, (const char *)p + at, sizeof v);
	return v;
}

#endif
