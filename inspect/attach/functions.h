/* functions.h: where a process's allocators have their functions, for jumps at their entries: in programs that carry an allocator themselves
 * (static, prefixed, hidden), and for calls inside an allocator that go through no table. Each is found by a symbol, or by what the
 * allocator's reader knows of its code where there are no symbols; which way is said. What is not certain is not found. For inspect/attach. */
#ifndef ALLOCTOP_FUNCTIONS_H
#define ALLOCTOP_FUNCTIONS_H

#include <stddef.h>
#include <stdint.h>

struct loaded;
struct loadeds;
struct target;

enum function_way {
	FUNCTION_EXPORTED,              /* dynamic symbol */
	FUNCTION_SYMBOL,                /* symbol table of the file */
	FUNCTION_CODE,                  /* by its code, in a stripped program */
};

struct function {
	const char *name;               /* of those asked for */
	uint64_t address, size;         /* size 0: not known */
	const struct loaded *object;
	enum function_way way;
	uint32_t nature;                /* enum attach_nature of agent/attach.h, as far as its code tells, if all of them are hooked */
};

struct functions {
	struct function *function; size_t n;    /* by object, then in the order of the names; each address once, under the first of its names */
	char trouble[200];              /* what is there and was not found, and why; "" */
};

/* `names`: entry points, the plainest first (the image's table). They and l must outlive *f. */
void functions_find(struct functions *f, const struct target *t, const struct loadeds *l, const char *const *names, size_t n);
void functions_free(struct functions *f);
/* What the agent calls instead of an entry that throws (agent/entries.h, THROWS); NULL: it is none. */
const char *functions_plain(const char *name);
/* "exported", "symbol", "code". */
const char *functions_way(enum function_way way);

/* ---- between functions.c and functions_ARCH.c ---- */

/* Code that was read: `bytes` of it stand at `at`. */
struct code { const uint8_t *bytes; uint64_t at; size_t size; };

/* Where the calls and tail calls of a function's code lead, `max` at most: how many. size 0: to its end, as its branches show it. */
size_t functions_calls(const struct code *text, uint64_t function, uint64_t size, uint64_t *to, size_t max);

/* Where a function leads that does nothing but jump to another one; 0: it does something. */
uint64_t functions_tail_call(const struct code *text, uint64_t function);

/* musl's allocator (mallocng) in text without symbols. 0 where it was not found, or more than one thing looks like it. malloc: the two tail calls
   of its implementation, malloc and __libc_malloc in any order; not the implementation, which aligned_alloc calls for a block that begins
   elsewhere. free, realloc: their implementations, as libc calls those too. */
struct functions_musl { uint64_t malloc[2], free, realloc, aligned_alloc; };
int functions_musl(const struct code *text, uint64_t context, uint64_t context_size, struct functions_musl *out);

#endif
