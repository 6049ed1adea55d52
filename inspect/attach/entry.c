/* entry.c: see entry.h. What is the same for every processor. */
#include "inspect/attach/entry.h"

#include <stdlib.h>

#include "inspect/target/err.h"
#include "inspect/target/maps.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { PAGE = 4096, PADDING = 16 /* what may follow a function shorter than a jump */ };
#define REACH ((1ull << 31) - (1u << 20))       /* of a jump, less what a trampoline's own instructions may need */
#define BEHIND (1ull << 30)                     /* how much nearer a place behind must be than one before: the program's heap grows there */
#define LOWEST (1ull << 16)                     /* vm.mmap_min_addr, as usual */
#define HIGHEST (1ull << 47)

int entry_plan_target(struct entry_plan *p, struct mem *mem, uint64_t function, size_t known, uint64_t hook, uint64_t trampoline, struct err *e)
{
	size_t want = known && known < ENTRY_FUNCTION_MAX ? known + PADDING : ENTRY_FUNCTION_MAX;
	uint8_t *code = xmalloc(want);
	size_t got = mem_read_some(mem, function, code, want);
	int bad = entry_plan(p, function, code, got, known < got ? known : got, hook, trampoline, e);

	free(code);
	return bad;
}

/* A place in the gap [from, to) that reaches all of [lo, hi): the nearest before it; behind it the farthest, as a heap may grow there. 0: none. */
static uint64_t place(uint64_t from, uint64_t to, uint64_t lo, uint64_t hi, uint64_t bytes)
{
	uint64_t least = hi > REACH ? hi - REACH : LOWEST, most = lo + REACH > HIGHEST ? HIGHEST : lo + REACH;

	if (from < least) from = (least + PAGE - 1) / PAGE * PAGE;
	if (to > most) to = most / PAGE * PAGE;
	if (from >= to || to - from < bytes) return 0;
	return (to - bytes) / PAGE * PAGE;
}

uint64_t entry_room(const struct maps *maps, uint64_t lo, uint64_t hi, uint64_t bytes)
{
	uint64_t best = 0, nearest = UINT64_MAX, end = LOWEST;

	for (size_t i = 0; i <= maps->n; i++) {
		uint64_t next = i < maps->n ? maps->map[i].start : HIGHEST, at = next > end ? place(end, next, lo, hi, bytes) : 0;
		uint64_t distance = at >= hi ? at - hi + BEHIND : lo - at;
		if (at && distance < nearest) {
			best = at;
			nearest = distance;
		}
		if (i < maps->n) end = maps->map[i].end;
	}
	return best;
}
