/* judge.c: see judge.h. The facts borrow what the observation has; what it has not stays unknown to the rules. */
#include "tui/judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "inspect/model/sites.h"
#include "inspect/model/snapshot.h"
#include "inspect/target/xalloc.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/verdict.h"
#include "tui/panel.h"

enum { SITES = 64 };

static double known(double v) { return v < 0 ? NAN : v; }

static void sites(struct facts *f, const struct observation *o)
{
	const struct sites *from = o->sites;
	size_t n = from->n < SITES ? from->n : SITES;

	f->agent_group.known = 1;
	f->agent_age_s = o->snap->age_s;
	f->agent_live = o->snap->live_bytes;
	f->agent_live_error = sqrt(o->snap->live_variance);
	f->sample_rate = (double)o->snap->rate;
	f->alloc_bytes_per_s = known(from->bytes_per_s);
	f->alloc_objects_per_s = known(from->objects_per_s);
	f->site = xcalloc(n + 1, sizeof *f->site);
	for (; f->nsites < n; f->nsites++) {
		const struct site_row *r = &from->row[f->nsites];
		const struct snap_site *t = &r->total;
		f->site[f->nsites] = (struct facts_site){
			.function = r->function, .caller = r->caller, .stack = r->function, .samples = (double)t->samples, .live_samples = (double)t->live_samples, .live = t->live_bytes,
			.live_error = sqrt(t->live_variance), .live_objects = t->live_objects, .bytes_per_s = known(r->bytes_per_s), .objects_per_s = known(r->objects_per_s),
			.size = t->alloc_objects > 0 ? t->alloc_bytes / t->alloc_objects : NAN, .life_s = known(r->life_s),
			.freed_share = t->alloc_objects > 0 ? fmin(t->freed_objects / t->alloc_objects, 1) : NAN,
			.remote_share = t->freed_bytes > 0 ? fmin(t->remote_bytes / t->freed_bytes, 1) : NAN, .rounding = NAN,
		};
	}
}

static void locks(struct facts *f, const struct lock_report *l)
{
	f->locks_group.known = 1;
	f->locks = *l;
	f->lock = xcalloc(l->nrows + 1, sizeof *f->lock);
	for (size_t i = 0; i < l->nrows; i++)
		if (*l->row[i].allocator) f->lock[f->nlocks++].row = &l->row[i];
}

int judge(struct state *s, const struct observation *o)
{
	struct facts f = {
		.uptime_s = s->figure[STATE_UPTIME], .rss = s->figure[STATE_RSS], .swap = s->figure[STATE_SWAPPED], .lazy_free = NAN, .huge = NAN, .hugetlb = NAN, .anonymous = NAN,
		.memory_limit = NAN, .shrinks = NAN, .agent_age_s = NAN, .agent_live = NAN, .agent_live_error = NAN, .sample_rate = NAN, .agent_rounding = NAN,
		.alloc_bytes_per_s = NAN, .alloc_objects_per_s = NAN, .agent_losses = s->figure[STATE_LOST],
		.id = { .group.known = 1, .pid = s->pid },
	};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct verdict v;

	f.cpus = f.cpus_here = cpus > 0 ? (unsigned)cpus : 1;
	f.threads = s->figure[STATE_THREADS] >= 1 ? (unsigned)s->figure[STATE_THREADS] : 1;
	if (o->heap) f.heap = *o->heap, f.heap_group.known = 1;
	if (o->locks) locks(&f, o->locks);
	if (o->snap && o->sites) sites(&f, o);
	verdict_make(&f, &v);
	int found = v.nfindings > 0;
	if (found)
		state_say(s, STATE_VERDICT, "%s%s", v.finding[0].headline, v.nfindings > 1 ? " (and more: alloctop diagnose)" : " (alloctop diagnose)");
	verdict_free(&v);
	free(f.lock);
	free(f.site);
	return found;
}
