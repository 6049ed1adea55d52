/* tap.h: TAP for unit tests in C. ok(condition, "what", …); the last statement of main is `return done();`. */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_n, tap_failed;

__attribute__((format(printf, 4, 5))) static inline int tap_ok(int good, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tap_n);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (!good) {
		tap_failed++;
		printf("# %s:%d\n", file, line);
	}
	fflush(stdout);
	return good;
}

#define ok(good, ...) tap_ok(!!(good), __FILE__, __LINE__, __VA_ARGS__)

/* Two figures that went through the same arithmetic. */
static inline int tap_close(double got, double want, const char *file, int line, const char *what)
{
	int good = fabs(got - want) <= 1e-9 * fmax(1, fabs(want));

	tap_ok(good, file, line, "%s", what);
	if (!good) printf("# got %.17g, want %.17g\n", got, want);
	return good;
}

#define near(got, want, what) tap_close(got, want, __FILE__, __LINE__, what)

static inline int done(void)
{
	printf("1..%d\n", tap_n);
	return tap_failed > 0;
}

#endif
