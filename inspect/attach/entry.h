/* entry.h: a jump at the entry of a function, for functions that are not called through a table: what would change, and by which code the
 * original can still be called. Plans only, and touches nothing. Refuses rather than guess.
 *
 * The first instructions of the function are displaced: they are relocated into the trampoline, and a jump stands in their place. An
 * endbr64 at the entry stays where it is, and the jump behind it. One trampoline serves one function: it is what the agent calls instead of it, the
 * displaced instructions and a jump to those behind them. The jump at the entry leads to the hook itself, and only where that is out of its reach (2 GiB)
 * to another jump behind these.
 *
 * A displaced call returns to the function itself, so no return address ever lies in a trampoline. */
#ifndef ALLOCTOP_ENTRY_H
#define ALLOCTOP_ENTRY_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct maps;
struct mem;

enum { ENTRY_JUMP = 5, ENTRY_CODE_MAX = 192 /* bytes of one trampoline, its distance to the next */, ENTRY_FUNCTION_MAX = 1 << 16 };

struct entry_plan {
	uint64_t function;
	uint64_t address;               /* of the ENTRY_JUMP bytes that change */
	uint8_t old[ENTRY_JUMP], new[ENTRY_JUMP];
	/* While they are stored or put back no thread may have its PC, or any return address, at a byte from `busy` up to `busy_end`. */
	uint64_t busy, busy_end;
	uint64_t trampoline, hook;
	uint8_t code[ENTRY_CODE_MAX];
	unsigned code_size;
};

/* Plans for one function of which `code` holds the bytes: `size` of them, or fewer known to belong to it than there are: `known` 0 means that its end
   is not known, and is found by following its branches. `trampoline`: where code will be. UNSUPPORTED says in *e what stands against it. */
int entry_plan(struct entry_plan *p, uint64_t function, const uint8_t *code, size_t size, size_t known, uint64_t hook, uint64_t trampoline, struct err *e);
/* The same with the bytes from a target's memory. */
int entry_plan_target(struct entry_plan *p, struct mem *mem, uint64_t function, size_t known, uint64_t hook, uint64_t trampoline, struct err *e);
/* A gap of `bytes` (whole pages) in an address space from which every address in [lo, hi) can be reached by a jump; the nearest. 0: there is none. */
uint64_t entry_room(const struct maps *maps, uint64_t lo, uint64_t hi, uint64_t bytes);

#endif
