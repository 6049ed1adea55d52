/* event.c: events by perf's names. */
#include <linux/perf_event.h>
#include <string.h>

#include "inspect/perf/event.h"
#include "inspect/target/err.h"
#include "tests/tap.h"

static struct event ev[EVENTS_MAX];
static struct err e;

static int is(const char *name, uint32_t type, uint64_t config)
{
	return event_parse(name, ev, &e) == 1 && ev[0].attr.type == type && ev[0].attr.config == config && !strcmp(ev[0].name, name);
}

static int refused(const char *names, const char *word)
{
	return event_parse(names, ev, &e) == -1 && e.kind == ERR_USAGE && strstr(e.text, word);
}

int main(void)
{
	const uint64_t dtlb = PERF_COUNT_HW_CACHE_DTLB | PERF_COUNT_HW_CACHE_OP_READ << 8 | PERF_COUNT_HW_CACHE_RESULT_MISS << 16;

	ok(is("cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES) && ev[0].hardware, "cycles");
	ok(is("cpu-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES), "its other name");
	ok(is("instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS), "instructions");
	ok(is("cache-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES), "cache-misses");
	ok(is("dTLB-load-misses", PERF_TYPE_HW_CACHE, dtlb) && ev[0].hardware, "dTLB-load-misses");
	ok(is("page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS) && !ev[0].hardware, "page-faults");
	ok(is("faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS), "faults");
	ok(is("context-switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES), "context-switches");
	ok(is("cpu-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK) && event_is_clock(&ev[0]), "cpu-clock, a clock");
	ok(is("task-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK) && event_is_clock(&ev[0]), "task-clock, a clock");
	ok(!event_is_clock((event_parse("page-faults", ev, &e), &ev[0])), "page-faults are no clock");
	ok(event_parse("cycles:u", ev, &e) == 1 && ev[0].attr.exclude_kernel && !ev[0].attr.exclude_user, "user mode alone");
	ok(event_parse("page-faults:k", ev, &e) == 1 && ev[0].attr.exclude_user && !ev[0].attr.exclude_kernel, "the kernel alone");
	ok(event_parse("cycles,page-faults,cpu-clock", ev, &e) == 3 && !strcmp(ev[1].name, "page-faults"), "several");
	ok(refused("frob", "'frob'"), "no such event: %s", e.text);
	ok(refused("cycles,,cpu-clock", "''"), "an empty name: %s", e.text);
	ok(refused("", "''"), "none: %s", e.text);
	ok(refused("cycles,cycles,cycles,cycles,cycles,cycles,cycles,cycles,cycles,cycles,cycles,cycles,cycles,cycles,cycles,cycles,cycles", "at most"), "too many: %s", e.text);
	ok(refused("a-name-that-is-longer-than-any-event-could-possibly-have-it-in-its-table", "no event"), "too long: %s", e.text);
	return done();
}
