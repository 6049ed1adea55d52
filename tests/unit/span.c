/* span.c: what rates are against: a moment ago where there are many samples, seconds where there are few, nothing across a reset. */
/* LINK: tui/span.c inspect/model/snapshot.c */
#include "tui/span.h"

#include <stdlib.h>

#include "tests/tap.h"

/* A snapshot of that many samples so far; its site and its live block are the heap's. */
static struct snapshot of(uint64_t samples, uint32_t epoch)
{
	struct snapshot s = { .nsites = 1, .nlive = 1, .epoch = epoch, .running = 1, .rate = 1000 };

	s.site = calloc(1, sizeof *s.site);
	s.live = calloc(1, sizeof *s.live);
	s.site->samples = samples;
	return s;
}

static void take(struct span *s, double at, uint64_t samples, uint32_t epoch)
{
	struct snapshot snap = of(samples, epoch);

	span_take(s, &snap, at, 0.5);
}

static double since(const struct span *s)
{
	const struct moment *m = span_since(s);

	return m ? m->at : -1;
}

int main(void)
{
	struct span s = { 0 };

	take(&s, 100, 0, 0);
	ok(since(&s) < 0, "the first has nothing before it");
	take(&s, 101, 3, 0);
	ok(since(&s) == 100, "the second one has");
	for (int i = 2; i <= 9; i++) take(&s, 100 + i, 3, 0);
	ok(since(&s) == 100 && s.now.at == 109, "few samples: it grows");
	for (int i = 10; i <= 18; i++) take(&s, 100 + i, 3, 0);
	ok(since(&s) == 100, "up to twice that");
	take(&s, 120, 3, 0);
	ok(since(&s) >= 109, "and no longer");
	for (int i = 1; i <= 4; i++) take(&s, 120 + i, 3 + (uint64_t)i * 1000, 0);
	ok(s.now.at - since(&s) <= 2, "many samples: what was a moment ago");
	ok(!span_since(&s)->snap.nlive && !span_since(&s)->snap.live && s.now.snap.nlive == 1, "live blocks are the newest one's alone");
	take(&s, 124.01, 4200, 0);
	take(&s, 124.02, 4400, 0);
	ok(s.now.at - since(&s) >= 0.5, "what is nearer than an interval is none");
	take(&s, 125, 1, 1);
	ok(since(&s) < 0, "nothing across a reset");
	take(&s, 126, 2, 1);
	ok(since(&s) == 125, "but behind it");
	ok(!span_far(&s), "what is far is older than that");
	for (int i = 1; i <= 35; i++) take(&s, 126 + i, 2 + (uint64_t)i * 200, 1);
	ok(span_far(&s) && s.now.at - span_far(&s)->at >= 30 && s.now.at - since(&s) <= 2, "half a minute ago, beside a moment ago");
	for (int i = 36; i <= 200; i++) {
		take(&s, 126 + i, 2 + (uint64_t)i * 200, 1);
		if (s.now.at - span_far(&s)->at < 29 || s.now.at - span_far(&s)->at > 65) break;
	}
	ok(s.now.at == 326, "it stays between that and a minute");
	span_forget(&s);
	ok(!s.now.taken && !span_since(&s), "forgotten");
	return done();
}
