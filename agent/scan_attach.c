/* scan_attach.c: see scan.h. What is loaded is written into the block's two tables from outside, and never looked up: the image touches no
 * object's headers, which may be unmapped any moment. */
#include "scan.h"
#include "attach_block.h"
#include "sys.h"

static uint32_t seen;                   /* 1 + the turn that was read last; 0: none yet */

int scan_due(struct scan_mark *now)
{
	now->count[0] = ACQUIRE(alloctop_attach.modules_turn) + 1u;
	return LOAD(seen) != (uint32_t)now->count[0];
}

void scan_done(const struct scan_mark *now)
{
	STORE(seen, (uint32_t)now->count[0]);
}

int scan_news(void)
{
	return LOAD(seen) != LOAD(alloctop_attach.modules_turn) + 1u;
}

static void take(const struct attach_module *from)
{
	static struct module m;         /* too large for a small stack; guarded by the lock of modules.c */
	memset(&m, 0, sizeof m);
	m.start = from->start, m.end = from->end;
	m.text = from->text, m.text_end = from->text_end, m.text_offset = from->text_offset;
	m.bias = from->bias;
	m.tls = from->tls;
	m.hdr = from->hdr, m.hdr_end = from->hdr_end;
	m.frames = from->hdr ? 0 : from->frames, m.frames_end = from->hdr ? 0 : from->frames_end;
	m.text_readable = from->text_readable;
	m.is_main = from->is_main;
	m.path_truncated = from->path_truncated;
	m.build_id_size = from->build_id_size < sizeof m.build_id ? from->build_id_size : sizeof m.build_id;
	memcpy(m.build_id, from->build_id, m.build_id_size);
	memcpy(m.path, from->path, sizeof m.path - 1);
	if (m.start < m.end && !modules_known(&m)) modules_add(&m);
}

uintptr_t scan_objects(void)
{
	uint32_t which = ACQUIRE(alloctop_attach.modules_turn) & 1, n = LOAD(alloctop_attach.modules_count[which]);
	const struct attach_module *table = (const void *)(uintptr_t)alloctop_attach.modules[which];
	uintptr_t tls = 0;
	for (uint32_t i = 0; i < n && i < ATTACH_MODULES_MAX; i++) {
		take(&table[i]);
		tls += table[i].tls;
	}
	return tls;
}

struct scan_range scan_own(void)
{
	return (struct scan_range){ alloctop_attach.image, alloctop_attach.image_end - alloctop_attach.image };
}
