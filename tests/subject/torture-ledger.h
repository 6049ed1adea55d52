/* torture-ledger.h: what the agent believes to be live, read from this process's own segment, to be compared with what the program
 * knows. Found through /proc/self/maps by the name of the memfd or of the file in ALLOCTOP_SEGMENT. */
#ifndef TESTS_SUBJECT_TORTURE_LEDGER_H
#define TESTS_SUBJECT_TORTURE_LEDGER_H

#include <stdint.h>
#include "agent/wire.h"
#include "torture.h"

struct ledger { uint64_t objects, bytes, allocs, lost; };

static inline const struct wire_header *ledger_segment(void)
{
	static const struct wire_header *found;
	const char *file = getenv("ALLOCTOP_SEGMENT");
	char line[512];
	FILE *f;
	unsigned long at;
	if (found) return found;
	CHECK((f = fopen("/proc/self/maps", "r")), "maps");
	while (!found && fgets(line, sizeof line, f))
		if ((strstr(line, "/memfd:alloctop") || (file && *file && strstr(line, file))) && sscanf(line, "%lx", &at) == 1)
			found = (const struct wire_header *)at;
	fclose(f);
	CHECK(found && !memcmp(found->magic, WIRE_MAGIC, 8), "no segment: is the agent there?");
	return found;
}

static inline const void *ledger_section(enum wire_kind kind, uint32_t *used)
{
	const struct wire_header *h = ledger_segment();
	for (unsigned i = 0; i < WIRE_SECTIONS_MAX; i++)
		if (h->section[i].kind == (uint32_t)kind) {
			*used = __atomic_load_n(&h->section[i].used, __ATOMIC_ACQUIRE);
			return (const char *)h + h->section[i].offset;
		}
	broke(__FILE__, __LINE__, "section", "%d is not there", (int)kind);
}

static inline struct ledger ledger_read(void)
{
	struct ledger l = { 0, 0, 0, 0 };
	uint32_t n;
	const struct wire_live *b = (const struct wire_live *)ledger_section(WIRE_LIVE, &n);
	for (uint32_t i = 0; i < n; i++)
		if (b[i].addr) {
			CHECK(b[i].weight == b[i].size, "at rate 1 a block stands for itself");
			l.objects++;
			l.bytes += b[i].size;
		}
	const struct wire_site *s = (const struct wire_site *)ledger_section(WIRE_SITES, &n);
	for (uint32_t i = 0; i < n; i++) l.allocs += s[i].samples;
	for (unsigned i = 0; i <= WIRE_LOST_STALE; i++)
		if (i != WIRE_LOST_SITE_FULL && i != WIRE_LOST_THREAD_FULL && i != WIRE_LOST_MODULE_FULL) l.lost += ledger_segment()->loss[i];
	return l;
}

static inline void ledger_is(struct ledger base, uint64_t objects, uint64_t bytes, uint64_t allocs, const char *what)
{
	struct ledger now = ledger_read();
	CHECK(now.objects - base.objects == objects && now.bytes - base.bytes == bytes,
		"%s: %llu objects, %llu bytes; the truth is %llu, %llu", what, (unsigned long long)(now.objects - base.objects),
		(unsigned long long)(now.bytes - base.bytes), (unsigned long long)objects, (unsigned long long)bytes);
	CHECK(now.allocs - base.allocs == allocs, "%s: %llu allocations; the truth is %llu", what,
		(unsigned long long)(now.allocs - base.allocs), (unsigned long long)allocs);
	CHECK(now.lost == base.lost, "%s: %llu losses", what, (unsigned long long)now.lost);
}

#endif
