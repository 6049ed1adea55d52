/* span.c: see span.h. */
#include "tui/span.h"

#include <stdlib.h>

/* Samples for an error of 10 % and less; how long they are waited for. */
static const double enough = 100, longest_s = 10, far_s = 30;

static void forget(struct moment *m)
{
	if (m->taken) snapshot_free(&m->snap);
	m->taken = 0;
}

/* What a rate is made of is kept. */
static void keep(struct moment *to, struct moment *from)
{
	forget(to);
	*to = *from;
	from->taken = 0;
	free(to->snap.live);
	to->snap.live = NULL;
	to->snap.nlive = 0;
}

void span_forget(struct span *s)
{
	forget(&s->now);
	forget(&s->next);
	forget(&s->since);
	forget(&s->far_next);
	forget(&s->far);
}

void span_take(struct span *s, const struct snapshot *snap, double at, double least_s)
{
	struct moment m = { .snap = *snap, .at = at, .taken = 1 };

	for (size_t i = 0; i < snap->nsites; i++) m.samples += (double)snap->site[i].samples;
	/* a reset: what is counted now has nothing to do with what was */
	if (s->now.taken && s->now.snap.epoch != snap->epoch) span_forget(s);
	double old = s->next.taken ? at - s->next.at : 0;
	if (old >= longest_s || (old > least_s && m.samples - s->next.samples >= enough)) {
		forget(&s->since);
		s->since = s->next;
		s->next.taken = 0;
	}
	if (s->far_next.taken && at - s->far_next.at >= far_s) {
		forget(&s->far);
		s->far = s->far_next;
		s->far_next.taken = 0;
	}
	/* the second one comes first: rates are waited for; where each block is a sample nothing is told by few */
	if (s->now.taken && !s->far_next.taken && s->since.taken && snap->rate > 1) keep(&s->far_next, &s->now);
	if (s->now.taken && !s->next.taken) keep(&s->next, &s->now);
	forget(&s->now);
	s->now = m;
}

const struct moment *span_since(const struct span *s)
{
	return s->since.taken ? &s->since : s->next.taken ? &s->next : NULL;
}

const struct moment *span_far(const struct span *s)
{
	const struct moment *since = span_since(s), *far = s->far.taken ? &s->far : s->far_next.taken ? &s->far_next : NULL;

	return far && since && far->at < since->at ? far : NULL;
}
