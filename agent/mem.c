/* mem.c: the memory functions that the compiler calls by itself, and the few string functions the agent needs. Hidden: the process
 * keeps its own. Built so that the compiler does not turn them into calls of themselves (Makefile: -fno-builtin; here: the
 * pragma). */
#include "sys.h"

#pragma GCC optimize("no-tree-loop-distribute-patterns")

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	char *d = to;
	const char *s = from;
	for (; n >= 8; n -= 8, d += 8, s += 8) {
		uint64_t w;
		__builtin_memcpy(&w, s, 8);
		__builtin_memcpy(d, &w, 8);
	}
	while (n--) *d++ = *s++;
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	char *d = to;
	const char *s = from;
	if (d <= s)
		while (n--) *d++ = *s++;
	else
		while (n--) d[n] = s[n];
	return to;
}

void *memset(void *p, int c, size_t n)
{
	char *d = p;
	while (n--) *d++ = (char)c;
	return p;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;
	for (uint64_t v, w; n >= 8; n -= 8, x += 8, y += 8) {
		__builtin_memcpy(&v, x, 8);
		__builtin_memcpy(&w, y, 8);
		if (v != w) break;
	}
	for (; n; n--, x++, y++)
		if (*x != *y) return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	const char *e = s;
	while (*e) e++;
	return (size_t)(e - s);
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a) return (unsigned char)*a - (unsigned char)*b;
	return 0;
}
