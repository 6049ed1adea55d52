/* fde.c: see fde.h. */
#include "inspect/perf/fde.h"

#include <elf.h>
#include <stdlib.h>

#include "inspect/allocator/image.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { ENTRIES_MAX = 1 << 20 };

/* What linkers write: the count as four bytes, pairs of distances from the header's own address. */
struct hdr { uint8_t version, frame_encoding, count_encoding, table_encoding; int32_t frame; uint32_t count; };
enum { VERSION = 1, UDATA4 = 0x03, DATAREL_SDATA4 = 0x3b };
struct entry { int32_t start, fde; };

/* The mapping of the object's first bytes; NULL where it is not there. */
static const struct map *head_of(const struct target *t, const struct map *m)
{
	for (const struct map *h = m; h >= t->maps.map; h--) {
		if (h->inode && !h->offset && maps_same_file(h, m)) return h;
	}
	return NULL;
}

/* The address of its .eh_frame_hdr; 0: none. */
static uint64_t find_hdr(const struct target *t, const struct map *head)
{
	struct image i;
	uint64_t bias;

	image_open(&i, t, head);
	uint64_t addr = image_segment(&i, PT_GNU_EH_FRAME, &bias);
	image_close(&i);
	return addr;
}

void fde_starts(const struct target *t, const struct map *m, void (*fn)(void *arg, uint64_t start), void *arg)
{
	const struct map *head = head_of(t, m), *at;
	uint64_t addr = head ? find_hdr(t, head) : 0;
	struct hdr h;
	struct image i;

	if (!addr || !(at = maps_find(&t->maps, addr))) return;
	image_open(&i, t, at);
	if (image_read(&i, addr, &h, sizeof h) == sizeof h && h.version == VERSION && h.count_encoding == UDATA4 && h.table_encoding == DATAREL_SDATA4 &&
	    h.count <= ENTRIES_MAX) {
		struct entry *table = xcalloc(h.count + 1, sizeof *table);
		size_t n = image_read(&i, addr + sizeof h, table, h.count * sizeof *table) / sizeof *table;
		for (size_t k = 0; k < n; k++) fn(arg, addr + (uint64_t)(int64_t)table[k].start);
		free(table);
	}
	image_close(&i);
}
