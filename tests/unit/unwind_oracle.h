/* unwind_oracle.h: compares the agent's unwinder with libunwind at the place where it is called; for the tests/unit/unwind* programs,
 * which link the agent's objects directly. Frames above the caller must be equal one by one; a stack that stops early counts as
 * short; anything else is wrong, and is printed. */
#ifndef UNWIND_ORACLE_H
#define UNWIND_ORACLE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#ifdef __cplusplus
#define _Static_assert static_assert
extern "C" {
#endif
#include "agent/modules.h"
#include "agent/unwind.h"
#ifdef __cplusplus
}
#endif

enum { ORACLE_DEPTH = 128 };

struct oracle { const char *name; unsigned long stacks, frames, equal, short_stacks, short_frames, wrong; };
static struct oracle oracle;
static __thread struct unwind_bounds oracle_bounds;

/* What libunwind sees, innermost first, without the function it is called in. Where a coroutine began it goes on with whatever lies
   above, so an address in an object but not in its code ends the stack. */
static inline __attribute__((always_inline)) unsigned oracle_truth(uint64_t *pc)
{
	unw_context_t context;
	unw_cursor_t cursor;
	unsigned n = 0;
	unw_getcontext(&context);
	unw_init_local(&cursor, &context);
	while (n < ORACLE_DEPTH && unw_step(&cursor) > 0) {
		unw_word_t ip;
		unw_get_reg(&cursor, UNW_REG_IP, &ip);
		const struct module *m = modules_find(ip);
		if (!ip || (m && (ip < m->text || ip > m->text_end))) break;
		pc[n++] = ip;
	}
	return n;
}

static void oracle_print(const uint64_t *ours, unsigned n, const uint64_t *truth, unsigned m, unsigned cut)
{
	for (unsigned i = 0; i < (n > m ? n : m); i++) {
		const struct module *k = modules_find(truth[i < m ? i : m - 1]);
		fprintf(stderr, "# %2u %#14lx %#14lx %s %s+%#lx\n", i, i < n ? ours[i] : 0, i < m ? truth[i] : 0,
			i < n && i < m && ours[i] == truth[i] ? " " : "<", k ? k->path : "?", k ? truth[i < m ? i : m - 1] - k->bias : 0);
	}
	fprintf(stderr, "# cut %u\n", cut);
}

static __attribute__((noinline)) void oracle_check(void)
{
	uint64_t ours[ORACLE_DEPTH + 1], truth[ORACLE_DEPTH];
	unsigned cut, n = unwind_here(&oracle_bounds, ours, ORACLE_DEPTH + 1, &cut), m = oracle_truth(truth), k = 0;
	if (n) n--;     /* the first is in this function */
	while (k < n && k < m && ours[k + 1] == truth[k]) k++;
	__atomic_fetch_add(&oracle.stacks, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&oracle.frames, m, __ATOMIC_RELAXED);
	__atomic_fetch_add(&oracle.equal, k, __ATOMIC_RELAXED);
	if (k == n && n == m) return;
	int is_short = k == n && n < m && cut;
	__atomic_fetch_add(is_short ? &oracle.short_stacks : &oracle.wrong, 1, __ATOMIC_RELAXED);
	if (is_short) __atomic_fetch_add(&oracle.short_frames, m - n, __ATOMIC_RELAXED);
	if (!is_short || getenv("UNW_VERBOSE")) oracle_print(ours + 1, n, truth, m, cut);
}

static void oracle_begin(const char *name)
{
	memset(&oracle, 0, sizeof oracle);
	oracle.name = name;
}

/* At least `stacks` stacks, none wrong, 99.9 % of frames. */
static void oracle_end(unsigned long stacks)
{
	static int number;
	const char *allowed = getenv("UNW_SHORT");     /* frames in 1000 that may be missing at the outer end */
	unsigned long may = oracle.frames * (allowed ? strtoul(allowed, NULL, 10) : 1) / 1000;
	int ok = oracle.stacks >= stacks && !oracle.wrong && oracle.frames - oracle.equal <= may;
	printf("%s %d - %s: %lu stacks, %lu of %lu frames equal, %lu stacks short by %lu frames, %lu wrong\n", ok ? "ok" : "not ok", ++number,
		oracle.name, oracle.stacks, oracle.equal, oracle.frames, oracle.short_stacks, oracle.short_frames, oracle.wrong);
	fflush(stdout);
}

#endif
