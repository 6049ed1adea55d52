/* cursor.c: bounded reading of the numbers that .eh_frame is made of; see cfi.h. */
#include "cfi.h"
#include "cc.h"
#include "sys.h"

static ALWAYS_INLINE uint64_t take(struct cursor *c, unsigned n)
{
	uint64_t v = 0;
	if (cursor_left(c) < n) {
		cursor_spoil(c);
		return 0;
	}
	__builtin_memcpy(&v, c->p, n);
	c->p += n;
	return v;
}

uint8_t cursor_u8(struct cursor *c) { return (uint8_t)take(c, 1); }
uint16_t cursor_u16(struct cursor *c) { return (uint16_t)take(c, 2); }
uint32_t cursor_u32(struct cursor *c) { return (uint32_t)take(c, 4); }
uint64_t cursor_u64(struct cursor *c) { return take(c, 8); }

static uint64_t leb(struct cursor *c, int is_signed)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = cursor_u8(c);
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80) continue;
		if (is_signed && byte & 0x40 && shift + 7 < 64) v |= ~0ULL << (shift + 7);
		return v;
	}
	cursor_spoil(c);
	return 0;
}

uint64_t cursor_uleb(struct cursor *c) { return leb(c, 0); }
int64_t cursor_sleb(struct cursor *c) { return (int64_t)leb(c, 1); }

void cursor_skip(struct cursor *c, uint64_t n)
{
	if (cursor_bad(c) || n > cursor_left(c)) cursor_spoil(c);
	else c->p += n;
}

uint64_t cursor_encoded(struct cursor *c, unsigned encoding, uint64_t base)
{
	enum { ABSOLUTE, PC_RELATIVE = 0x10, DATA_RELATIVE = 0x30 };
	uint64_t here = (uint64_t)(uintptr_t)c->p, v = 0;
	switch (encoding & 0x0f) {
	case 0x00: case 0x04: case 0x0c: v = cursor_u64(c); break;
	case 0x01: v = cursor_uleb(c); break;
	case 0x02: v = cursor_u16(c); break;
	case 0x03: v = cursor_u32(c); break;
	case 0x09: v = (uint64_t)cursor_sleb(c); break;
	case 0x0a: v = (uint64_t)(int64_t)(int16_t)cursor_u16(c); break;
	case 0x0b: v = (uint64_t)(int64_t)(int32_t)cursor_u32(c); break;
	default: cursor_spoil(c);
	}
	switch (encoding & 0xf0) {
	case ABSOLUTE: return v;
	case PC_RELATIVE: return here + v;
	case DATA_RELATIVE: return base + v;
	default: cursor_spoil(c); return 0;
	}
}
