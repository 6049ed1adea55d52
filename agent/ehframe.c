/* ehframe.c: see ehframe.h. Finding the record of an address and reading its head; the program in it is run by cfi.c. */
#include "ehframe.h"
#include "cc.h"
#include "cfi.h"
#include "modules.h"
#include "sys.h"
#include "unwind.h"

enum {
	RECORD_MAX = 1 << 18,           /* bytes of one CIE or FDE */
	RECORDS_MAX = 1 << 17,          /* looked at without an index */
	SEARCH_MAX = 64 << 20,
};

static int inside(const struct module *m, uintptr_t p, uintptr_t n)
{
	return p >= m->start && p < m->end && n <= m->end - p;
}

/* Opens a cursor on a record at p. Its body begins after the length. */
static ALWAYS_INLINE int record(const struct module *m, uintptr_t p, struct cursor *c)
{
	uint32_t n;
	if (!inside(m, p, 8) || !unwind_readable(p, 8)) return -1;
	__builtin_memcpy(&n, (const void *)p, 4);
	if (n < 4 || n > RECORD_MAX || !inside(m, p, n + 4) || !unwind_readable(p, n + 4)) return -1;
	*c = (struct cursor){ (const uint8_t *)p + 4, (const uint8_t *)p + 4 + n };
	return 0;
}

/* 'z' means that the augmentation's size is given, so what is not known can be skipped. */
static ALWAYS_INLINE void read_augmentation(struct cursor *c, const uint8_t *letters, struct cfi *f)
{
	if (*letters == 0) return;
	uint64_t n = *letters == 'z' ? cursor_uleb(c) : UINT64_MAX;
	if (cursor_bad(c) || n > cursor_left(c)) {
		cursor_spoil(c);
		return;
	}
	const uint8_t *after = c->p + n, *end = c->end;
	c->end = after;
	f->sized = 1;
	for (letters++; *letters && !cursor_bad(c); letters++) {
		if (*letters == 'R') f->encoding = cursor_u8(c);
		else if (*letters == 'S') f->signal = 1;
		else if (*letters == 'L') cursor_u8(c);
		else if (*letters == 'P') cursor_encoded(c, cursor_u8(c) & 0x7f, 0);
		else if (*letters != 'B') break;
	}
	if (cursor_bad(c)) return;
	c->p = after;
	c->end = end;
}

static ALWAYS_INLINE int read_cie(const struct module *m, uintptr_t p, struct cfi *f, struct cursor *c)
{
	if (record(m, p, c) || cursor_u32(c)) return -1;
	uint8_t version = cursor_u8(c);
	const uint8_t *letters = c->p;
	while (cursor_u8(c))
		;
	if (cursor_bad(c) || (version != 1 && version != 3)) return -1;
	f->code_align = (uint32_t)cursor_uleb(c);
	f->data_align = (int32_t)cursor_sleb(c);
	if ((version == 1 ? cursor_u8(c) : cursor_uleb(c)) != CFI_RA) return -1;
	read_augmentation(c, letters, f);
	return cursor_bad(c) ? -1 : 0;
}

/* Reads the head of the FDE at p and of its CIE. Covers `target`: returns 1 with both cursors on the instructions. */
static COLD int read_fde(const struct module *m, uintptr_t p, uintptr_t target, struct cfi *f)
{
	*f = (struct cfi){ .pc = f->pc, .now = f->now };
	struct cursor *fde = &f->fde;
	if (record(m, p, fde)) return -1;
	uintptr_t here = (uintptr_t)fde->p;
	uint32_t back = cursor_u32(fde);
	if (!back || back > here || read_cie(m, here - back, f, &f->cie)) return -1;
	f->loc = cursor_encoded(fde, f->encoding, m->hdr);
	uint64_t size = cursor_encoded(fde, f->encoding & 0x0f, 0);
	if (f->sized) cursor_skip(fde, cursor_uleb(fde));
	return cursor_bad(fde) ? -1 : target - f->loc < size;
}

/* The index: pairs of 32-bit offsets from its start, sorted by address. Other forms are not produced by any linker. 0: none. */
static COLD uintptr_t indexed(const struct module *m, uintptr_t target, uintptr_t *frames)
{
	struct cursor c = { (const uint8_t *)m->hdr, (const uint8_t *)m->hdr_end };
	if (!m->hdr || !inside(m, m->hdr, m->hdr_end - m->hdr) || !unwind_readable(m->hdr, 12)) return 0;
	uint8_t version = cursor_u8(&c), frames_encoding = cursor_u8(&c), count_encoding = cursor_u8(&c), encoding = cursor_u8(&c);
	*frames = cursor_encoded(&c, frames_encoding, m->hdr);
	if (version != 1 || cursor_bad(&c) || count_encoding != 0x03 || encoding != 0x3b) return 0;
	uintptr_t lo = 0, hi = cursor_u32(&c), base = (uintptr_t)c.p, page = m->hdr / SYS_PAGE;
	*frames = 0;
	if (cursor_bad(&c) || hi > cursor_left(&c) / 8) return 0;
	int32_t pair[2] = { 0, 0 };
	while (lo < hi) {
		uintptr_t mid = (lo + hi) / 2, at = base + mid * 8;
		if ((at / SYS_PAGE != page || (at + 7) / SYS_PAGE != page) && !unwind_readable(at, 8)) return 0;
		page = (at + 7) / SYS_PAGE;
		__builtin_memcpy(pair, (const void *)at, 4);
		if (m->hdr + (uintptr_t)(intptr_t)pair[0] <= target) lo = mid + 1;
		else hi = mid;
	}
	if (!lo) return 0;
	base += (lo - 1) * 8;
	if (!unwind_readable(base, 8)) return 0;
	__builtin_memcpy(pair, (const void *)base, 8);
	return m->hdr + (uintptr_t)(intptr_t)pair[1];
}

/* Without an index every record is looked at. The next FDE at or after *p, 0 at the end; *p goes behind it. */
static COLD uintptr_t next_fde(const struct module *m, uintptr_t *p)
{
	uintptr_t end = m->frames ? m->frames_end : m->end;
	for (unsigned i = 0; i < RECORDS_MAX && *p + 8 <= end; i++) {
		uint32_t head[2];
		uintptr_t at = *p;
		if (!inside(m, at, 8) || !unwind_readable(at, 8)) return 0;
		__builtin_memcpy(head, (const void *)at, 8);
		if (!head[0] || head[0] > RECORD_MAX) return 0;
		*p += head[0] + 4;
		if (head[1]) return at;
	}
	return 0;
}

static COLD int linear(const struct module *m, uintptr_t frames, uintptr_t target, struct cfi *f)
{
	for (unsigned i = 0; i < RECORDS_MAX; i++) {
		uintptr_t at = next_fde(m, &frames);
		if (!at) return -1;
		if (read_fde(m, at, target, f) == 1) return 1;
	}
	return -1;
}

int ehframe_rule(const struct module *m, uintptr_t pc, int exact, struct rule *out)
{
	uintptr_t target = pc - !exact, frames = m->frames, at = indexed(m, target, &frames);
	struct cfi f;
	f.pc = pc;
	f.now = out;
	int found = at ? read_fde(m, at, target, &f) : frames ? linear(m, frames, target, &f) : -1;
	*out = (struct rule){ .flags = found == 1 ? RULE_NONE : RULE_NONE | RULE_ABSENT };
	if (found != 1) return -1;
	while (cfi_run(&f, &f.cie, UINT64_MAX)) cfi_express(&f, &f.cie);
	cfi_begin(&f);
	while (cfi_run(&f, &f.fde, target)) cfi_express(&f, &f.fde);
	return cfi_finish(&f);
}

/* A CIE as compilers write them, with an FDE of this module's code behind it. */
static int plausible(const struct module *m, uintptr_t p)
{
	struct cfi f = { .pc = 0 };
	if (read_cie(m, p, &f, &f.cie) || f.code_align != 1 || f.data_align != -8 || !f.sized) return 0;
	uintptr_t next = (uintptr_t)f.cie.end;
	uint32_t head[2];
	if (!inside(m, next, 8)) return 0;
	__builtin_memcpy(head, (const void *)next, 8);
	return head[1] == next + 4 - p && read_fde(m, next, 0, &f) >= 0 && f.loc >= m->text && f.loc < m->text_end;
}

uintptr_t ehframe_search(const struct module *m, uintptr_t lo, uintptr_t hi)
{
	static const uint8_t head[] = { 0, 0, 0, 0, 1, 'z', };
	if (hi - lo > SEARCH_MAX) hi = lo + SEARCH_MAX;
	for (uintptr_t p = (lo + 3) & ~(uintptr_t)3; p + 24 <= hi; p += 4) {
		if (!(p % SYS_PAGE) && !unwind_readable(p, 1)) return 0;
		uint32_t n;
		__builtin_memcpy(&n, (const void *)p, 4);
		if (n >= 12 && n <= 64 && !memcmp((const void *)(p + 4), head, sizeof head) && plausible(m, p)) return p;
	}
	return 0;
}
