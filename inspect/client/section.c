/* section.c: the entries of one section, bounded by everything that can bound them. See section.h. */
#include "inspect/client/section.h"

#include <stdlib.h>

#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

/* More than any agent has room for; what a hostile segment can make us allocate. */
static const struct { const char *name; uint32_t most; } kinds[] = {
	[WIRE_MODULES] = { "modules", 1 << 13 },
	[WIRE_FRAMES] = { "frames", 1 << 23 },
	[WIRE_SITES] = { "sites", 1 << 18 },
	[WIRE_LIVE] = { "live", 1 << 22 },
	[WIRE_THREADS] = { "threads", 1 << 12 },
	[WIRE_CLASS] = { "classes", WIRE_CLASSES },
	[WIRE_EXACT] = { "exact", WIRE_CLASSES << 12 },
	[WIRE_TIMING] = { "timing", WIRE_OPS * WIRE_CLASSES },
};

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

int section_find(struct reading *r, enum wire_kind kind, size_t entry, size_t most, uint64_t *addr, size_t *n, struct err *e)
{
	struct wire_section row[WIRE_SECTIONS_MAX], *s = NULL;

	*n = 0;
	*addr = 0;
	if (mem_read(r->seg->mem, r->seg->base + offsetof(struct wire_header, section), row, sizeof row, e)) return -1;
	for (unsigned i = 0; i < WIRE_SECTIONS_MAX && !s; i++)
		if (row[i].kind == kind) s = &row[i];
	if (!s) return 0;
	if (s->entry_size != entry)
		return err_set(e, ERR_FAIL, "%s: the agent's segment is damaged: its section of %s has entries of %u bytes instead of %zu",
		               r->seg->name, kinds[kind].name, s->entry_size, entry);
	uint64_t room = s->offset < r->limit ? (r->limit - s->offset) / entry : 0;
	uint64_t fit = least(least(s->used, s->capacity), least(room, kinds[kind].most));
	r->bad += s->used - fit;
	*n = (size_t)least(fit, most);
	*addr = r->seg->base + s->offset;
	return 0;
}

int section_load(struct reading *r, enum wire_kind kind, size_t entry, size_t most, void **out, size_t *n, struct err *e)
{
	uint64_t addr;

	if (section_find(r, kind, entry, most, &addr, n, e)) return -1;
	*out = xcalloc(*n + 1, entry);
	if (!*n || !mem_read(r->seg->mem, addr, *out, *n * entry, e)) return 0;
	free(*out);
	*out = NULL;
	return -1;
}
