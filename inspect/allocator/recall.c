/* recall.c: see recall.h. */
#include "inspect/allocator/recall.h"

#include <string.h>

#include "inspect/target/clock.h"

static const double believed_s = 30, young_s = 10, sums_s = 5;

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/* A process is the same with the same start and, as it may execute another program, the same stack; objects come with code. */
static uint64_t process_of(const struct target *t)
{
	uint64_t h = mix(mix((uint64_t)t->pid, t->proc.start_ticks), t->proc.stack_start);

	for (const struct map *m = t->maps.map; m < t->maps.map + t->maps.n; m++)
		if (m->exec && m->inode) h = mix(mix(mix(h, m->start), m->end), m->inode ^ (uint64_t)m->dev_major << 52 ^ (uint64_t)m->dev_minor << 40);
	return h;
}

size_t recall_probe(struct recall *r, const struct target *t, struct allocator_found *out, size_t max)
{
	if (!r || !t->pid) return allocator_probe_all(t, out, max);
	uint64_t process = process_of(t);
	double at = clock_now();
	if (r->process != process) r->sums_until = 0;
	if (at >= r->until || r->process != process) {
		r->n = allocator_probe_all(t, r->found, RECALL_MAX);
		r->process = process;
		r->until = t->proc.uptime_s < young_s ? 0 : at + believed_s;
	}
	size_t n = r->n < max ? r->n : max;
	memcpy(out, r->found, n * sizeof *out);
	return n;
}

int recall_smaps(struct recall *r, const struct target *t, struct smaps *s, struct err *e)
{
	double at = clock_now();

	if (r && at < r->sums_until && r->process == process_of(t)) {
		*s = r->sums;
		return 0;
	}
	if (smaps_read(s, t->pid, e)) return -1;
	if (r) r->sums = *s, r->sums_until = at + sums_s;
	return 0;
}

void recall_forget(struct recall *r)
{
	if (r) r->until = 0;
}
