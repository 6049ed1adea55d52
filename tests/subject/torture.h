/* torture.h: for the torture-* subjects: one program, one mode per torture. `PROGRAM MODE` prints "ok MODE" and exits with 0, or says
 * what broke and exits with 1. A mode judges its own outcome, and must come out the same with the agent and without. */
#ifndef TESTS_SUBJECT_TORTURE_H
#define TESTS_SUBJECT_TORTURE_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mode { const char *name; void (*run)(void); };

/* Said with one write, and nothing is flushed or freed: the heap may be what broke. */
__attribute__((noinline, cold, noreturn, format(printf, 4, 5)))
static void broke(const char *file, int line, const char *condition, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n = snprintf(text, sizeof text, "%s:%d: not (%s): ", file, line, condition);
	va_start(ap, fmt);
	if (n < (int)sizeof text - 1) n += vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap);
	if (n > (int)sizeof text - 1) n = sizeof text - 1;
	text[n++] = '\n';
	_exit(write(1, text, (size_t)n) < 0 ? 2 : 1);
}

#define CHECK(good, ...) do { if (!(good)) broke(__FILE__, __LINE__, #good, __VA_ARGS__); } while (0)

/* The compiler may not remove an allocation whose address went through here. */
static inline void *keep(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

/* Some allocations and frees of mixed kinds, checked for being intact. */
static inline void churn(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		size_t n = 1 + (i * 37u) % 700;
		unsigned char *a = (unsigned char *)keep(malloc(n)), *b = (unsigned char *)keep(calloc(n, 3));
		CHECK(a && b, "no memory");
		memset(a, (int)(i & 255), n);
		CHECK(!b[0] && !b[3 * n - 1], "calloc is not zero");
		a = (unsigned char *)keep(realloc(a, 2 * n));
		CHECK(a && a[0] == (i & 255) && a[n - 1] == (i & 255), "realloc lost the content");
		free(b);
		free(a);
	}
}

static inline int torture_main(int argc, char **argv, const struct mode *modes, size_t n)
{
	if (argc == 2)
		for (size_t i = 0; i < n; i++)
			if (!strcmp(modes[i].name, argv[1])) {
				modes[i].run();
				printf("ok %s\n", argv[1]);
				return 0;
			}
	for (size_t i = 0; i < n; i++) printf("%s\n", modes[i].name);   /* the tests ask for the list this way */
	return argc != 1;
}

#define TORTURE_MAIN(modes) \
	int main(int argc, char **argv) { return torture_main(argc, argv, modes, sizeof modes / sizeof *modes); }

#endif
