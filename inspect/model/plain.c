/* plain.c: see plain.h. Leaf: needs nothing of a locale, so that the output of a cron job is the terminal's. */
#include "inspect/model/plain.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the UTF-8 character at s, 0 when it is none or a control character. Overlong forms and surrogates are none. */
static size_t character(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *s < 0x80 ? 1 : *s >> 5 == 6 ? 2 : *s >> 4 == 14 ? 3 : *s >> 3 == 30 ? 4 : 0;
	uint32_t c;

	if (n <= 1) return n && *s >= 0x20 && *s != 0x7f;
	c = *s & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if (s[i] >> 6 != 2) return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || c < 0xa0) return 0;
	if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff) return 0;
	return n;
}

char *plain_text(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p;) {
		size_t n = character(p);
		if (!n) *p = '?';
		p += n ? n : 1;
	}
	return s;
}

size_t plain_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++) n += ((unsigned char)*s >> 6) != 2;
	return n;
}

char *plain_cut(char *s, size_t columns)
{
	char *p = s;
	size_t keep = columns > 2 ? columns - 2 : columns;

	if (plain_width(s) <= columns) return s;
	for (; keep && *p; keep--)
		do p++; while (((unsigned char)*p >> 6) == 2);
	strcpy(p, columns > 2 ? ".." : "");
	return s;
}
