/* events.c: see events.h. */
#include "inspect/model/events.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/state.h"
#include "inspect/model/units.h"

struct teller { void (*say)(void *arg, const char *text); void *arg; };

__attribute__((format(printf, 2, 3))) static void tell(const struct teller *t, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	t->say(t->arg, buf);
}

/* A figure in bytes that jumped. */
static void jump(const struct teller *t, const char *up, const char *down, double before, double now)
{
	static const double least = 8 << 20;
	char a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX];
	double d = now - before;

	if (isnan(d) || fabs(d) < least || fabs(d) < before / 10) return;
	tell(t, "%s by %s, from %s to %s", d > 0 ? up : down, units_bytes(fabs(d), a), units_bytes(before, b), units_bytes(now, c));
}

void events_between(const struct state *before, const struct state *now, void (*say)(void *arg, const char *text), void *arg)
{
	const struct teller t = { say, arg };
	const double *b = before->figure, *n = now->figure;

	jump(&t, "RSS jumped", "RSS fell", b[STATE_RSS], n[STATE_RSS]);
	jump(&t, "live bytes jumped", "live bytes fell", b[STATE_LIVE], n[STATE_LIVE]);
	if (n[STATE_FREE] < b[STATE_FREE] && n[STATE_RSS] < b[STATE_RSS]) jump(&t, "", "purge: free resident memory fell", b[STATE_FREE], n[STATE_FREE]);
	if (n[STATE_ARENAS] > b[STATE_ARENAS]) tell(&t, "%.0f new arena%s: %.0f now", n[STATE_ARENAS] - b[STATE_ARENAS], n[STATE_ARENAS] - b[STATE_ARENAS] > 1 ? "s" : "", n[STATE_ARENAS]);
	double threads = n[STATE_THREADS] - b[STATE_THREADS];
	if (fabs(threads) >= 4 && fabs(threads) > b[STATE_THREADS] / 10) tell(&t, "%.0f threads %s: %.0f now", fabs(threads), threads > 0 ? "began" : "ended", n[STATE_THREADS]);
	if (n[STATE_LOST] > b[STATE_LOST]) tell(&t, "the agent lost %.0f records: %s", n[STATE_LOST] - b[STATE_LOST], now->text[STATE_NOTES]);
	if (n[STATE_LOCK_COST] > 0.1 && !(b[STATE_LOCK_COST] > 0.1)) tell(&t, "waiting for the allocator's locks began: %s", now->text[STATE_LOCKS]);
	if (n[STATE_LOCK_COST] < 0.01 && b[STATE_LOCK_COST] > 0.1) tell(&t, "waiting for the allocator's locks ended");
	if (strcmp(before->text[STATE_AGENT], now->text[STATE_AGENT])) tell(&t, "agent: %s", *now->text[STATE_AGENT] ? now->text[STATE_AGENT] : "no more");
	if (*before->text[STATE_ALLOCATOR] && strcmp(before->text[STATE_ALLOCATOR], now->text[STATE_ALLOCATOR])) tell(&t, "allocators: %s", now->text[STATE_ALLOCATOR]);
}
