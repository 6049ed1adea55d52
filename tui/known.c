/* known.c: see known.h. */
#include "tui/known.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/allocator.h"
#include "inspect/allocator/survey.h"
#include "inspect/lock/glance.h"
#include "inspect/model/snapshot.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"
#include "tui/post.h"

static const double least_growth_s = 3, growth_s = 60;

/* A container's id is 64 digits, of which 12 are what people know it by. */
static void name_container(struct known *k)
{
	const char *slash = strrchr(k->group, '/'), *s = slash ? slash + 1 : k->group;
	size_t n = 0;

	for (; *s && n < sizeof k->container - 13; ) {
		size_t digits = strspn(s, "0123456789abcdef"), take = digits >= 32 ? 12 : digits ? digits : 1;
		if (n + take >= sizeof k->container) break;
		memcpy(k->container + n, s, take);
		n += take;
		s += digits ? digits : 1;
	}
	k->container[n] = 0;
}

/* "ID:CONTROLLERS:PATH" lines: the path of version 2 before that of any controller; "/" says nothing. */
void known_group(struct known *k)
{
	char path[40], line[1024];

	if (k->group) return;
	snprintf(path, sizeof path, "/proc/%d/cgroup", (int)k->proc.pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		char *at = strchr(line, ':');
		at = at ? strchr(at + 1, ':') : NULL;
		line[strcspn(line, "\n")] = 0;
		if (!at || !strcmp(at, ":/")) continue;
		free(k->group);
		k->group = xstrdup(at + 1);
		if (!strncmp(line, "0::", 3)) break;
	}
	if (f) fclose(f);
	if (!k->group) k->group = xstrdup("");
	name_container(k);
}

void known_new(struct known *k, const struct proc *p, double now)
{
	*k = (struct known){ .proc = *p, .read_at = now, .seen = 1, .live = NAN, .retained = NAN, .rate = NAN, .inside = NAN, .allocator = "..", .container = ".." };
	known_grow(k, now);
}

void known_free(struct known *k)
{
	free(k->group);
	free(k->lock);
}

static void look_at_agent(struct known *k)
{
	struct agent *a;
	struct snapshot s;
	struct err e;
	double now = post_clock();

	k->agent = agent_probe(k->proc.pid);
	if (k->agent != AGENT_ACTIVE && k->agent != AGENT_STOPPED) return;
	if (agent_open(k->proc.pid, &a, &e)) return;
	if (!agent_snapshot(a, &s, &e)) {
		k->live = s.live_bytes;
		k->rate = k->rate_at > 0 && now > k->rate_at && s.alloc_bytes >= k->rate_bytes ? (s.alloc_bytes - k->rate_bytes) / (now - k->rate_at) : s.age_s > 0 ? s.alloc_bytes / s.age_s : NAN;
		k->rate_at = now;
		k->rate_bytes = s.alloc_bytes;
		snapshot_free(&s);
	}
	agent_close(a);
}

static void take_locks(struct known *k, const struct heap *h)
{
	free(k->lock);
	k->lock = NULL;
	k->nlocks = 0;
	k->musl = 0;
	for (size_t i = 0; i < h->nallocators; i++) {
		const struct heap_allocator *a = &h->allocator[i];
		if (!strncmp(a->name, "musl", 4)) k->musl = 1;
		if (!a->in_use || !a->nlocks) continue;
		/* a sum of some of them would be a wrong one */
		if (k->nlocks + a->nlocks > GLANCE_LOCKS) {
			k->nlocks = 0;
			break;
		}
		k->lock = xreallocarray(k->lock, k->nlocks + a->nlocks, sizeof *k->lock);
		memcpy(k->lock + k->nlocks, a->lock, a->nlocks * sizeof *a->lock);
		k->nlocks += a->nlocks;
	}
}

static void look_at_heap(struct known *k)
{
	struct survey_options o = { 0 };
	struct target t;
	struct heap h;
	struct err e;

	if (target_open_pid(&t, k->proc.pid, &e)) {
		k->denied = e.kind == ERR_DENIED;
		snprintf(k->allocator, sizeof k->allocator, k->denied ? "?" : "-");
		return;
	}
	if (!survey_read(&t, &o, &h, &e)) {
		const struct heap_allocator *a = h.nallocators ? &h.allocator[0] : NULL;
		snprintf(k->allocator, sizeof k->allocator, "%.30s", a ? a->name : "-");
		if (a && a->live_bytes != HEAP_UNKNOWN && k->agent != AGENT_ACTIVE) k->live = (double)a->live_bytes;
		if (a && a->free_bytes != HEAP_UNKNOWN) k->retained = (double)a->free_bytes + (a->cached_bytes != HEAP_UNKNOWN ? (double)a->cached_bytes : 0);
		take_locks(k, &h);
		heap_free(&h);
	} else if (e.kind == ERR_DENIED) {
		k->denied = 1;
		strcpy(k->allocator, "?");
	}
	target_close(&t);
}

double known_look(struct known *k)
{
	double start = post_cpu(), cost;

	known_group(k);
	look_at_agent(k);
	look_at_heap(k);
	k->looked = 1;
	cost = post_cpu() - start;
	/* what has an agent changes in figures that are cheap; what is dear is looked at seldom */
	k->again = post_clock() + (k->agent == AGENT_ACTIVE ? 5 : 30) + 200 * cost;
	return cost;
}

/* A mean that forgets within a few seconds: what is looked at is one moment. */
void known_glance(struct known *k, double now)
{
	static const double memory_s = 4;
	double inside = glance(k->proc.pid, k->lock, k->nlocks, k->musl, k->proc.threads), part;

	if (inside < 0) {
		/* changed since they were found, or too many */
		k->inside = NAN;
		return;
	}
	part = isnan(k->inside) ? 1 : 1 - exp(-(now - k->glanced_at) / memory_s);
	k->inside = isnan(k->inside) ? inside : k->inside + part * (inside - k->inside);
	if (k->inside < 0.005) k->inside = 0;
	k->glanced_at = now;
}

void known_grow(struct known *k, double now)
{
	double rss = (double)k->proc.rss_bytes;

	if (!(k->rss_at > 0)) k->rss_at = k->next_at = now, k->rss = k->next_rss = rss;
	if (now - k->next_at < growth_s / 2) return;
	k->rss_at = k->next_at;
	k->rss = k->next_rss;
	k->next_at = now;
	k->next_rss = rss;
}

double known_growth(const struct known *k, double now)
{
	return now - k->rss_at >= least_growth_s ? ((double)k->proc.rss_bytes - k->rss) / (now - k->rss_at) * 60 : NAN;
}
