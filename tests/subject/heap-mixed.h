/* heap-mixed.h: what the subjects with a random heap have in common: sizes, mostly small, and printing without malloc. */
#ifndef SUBJECT_HEAP_MIXED_H
#define SUBJECT_HEAP_MIXED_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

static void say(const char *fmt, ...)
{
	char buf[256];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	if (write(1, buf, (size_t)n) != n) _exit(1);
}

static unsigned next(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 8;
}

static size_t size_of(unsigned *seed)
{
	static const unsigned size[] = { 1, 24, 25, 40, 100, 200, 512, 1032, 1033, 2000, 4000, 9000, 30000 };
	unsigned r = next(seed) % 1000;

	/* mostly small */
	return size[r < 700 ? r % 5 : r < 980 ? r % 9 : r % 13];
}

#endif
