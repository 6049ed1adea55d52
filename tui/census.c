/* census.c: see census.h. */
#include "tui/census.h"

#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/allocator/allocator.h"
#include "inspect/allocator/survey.h"
#include "inspect/client/agent.h"
#include "inspect/model/heap.h"
#include "inspect/model/snapshot.h"
#include "inspect/model/state.h"
#include "inspect/model/table.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"
#include "tui/feed.h"
#include "tui/post.h"
#include "tui/processes.h"

/* What is known of one process. */
struct known {
	struct proc proc;
	int seen;                       /* in this round */
	int looked;                     /* once at least */
	double again;                   /* when it is due for another look */
	char allocator[40], container[64];
	double live, retained, rate, rate_at, rate_bytes;
	enum agent_state agent;
	int denied;
	double rss_at, rss;             /* the beginning of its growth */
	double next_at, next_rss;       /* and the one that will be */
};

struct census {
	struct feed feed;
	struct post post;
	pthread_t thread;
	double delay, debt;             /* debt: seconds that looking has cost beyond its share */
	int whole;
	struct known *known; size_t nknown;     /* ascending by pid */
	unsigned denied, agents;
};

/* the list is new to its user: at first it may cost more */
static const double credit_s = 1, share = 0.04, least_growth_s = 3, growth_s = 60;

static int by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct known *)a)->proc.pid, y = ((const struct known *)b)->proc.pid;

	return (x > y) - (x < y);
}

/* The last part of its control group: a container's id, a service's name. */
static void find_container(struct known *k)
{
	char path[40], line[512];

	snprintf(path, sizeof path, "/proc/%d/cgroup", (int)k->proc.pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		char *slash = strrchr(line, '/');
		line[strcspn(line, "\n")] = 0;
		if (!slash || !slash[1]) continue;
		snprintf(k->container, sizeof k->container, "%.60s", slash + 1);
		if (!strncmp(line, "0::", 3)) break;
	}
	if (f) fclose(f);
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
		heap_free(&h);
	} else if (e.kind == ERR_DENIED) {
		k->denied = 1;
		strcpy(k->allocator, "?");
	}
	target_close(&t);
}

static void look(struct census *c, struct known *k)
{
	double start = post_clock(), cost;

	look_at_agent(k);
	look_at_heap(k);
	k->looked = 1;
	cost = post_clock() - start;
	c->debt += cost;
	/* what has an agent changes in figures that are cheap; what is dear is looked at seldom */
	k->again = start + (k->agent == AGENT_ACTIVE ? 5 : 30) + 200 * cost;
}

static void grow(struct known *k, double now)
{
	double rss = (double)k->proc.rss_bytes;

	if (!(k->rss_at > 0)) k->rss_at = k->next_at = now, k->rss = k->next_rss = rss;
	if (now - k->next_at < growth_s / 2) return;
	k->rss_at = k->next_at;
	k->rss = k->next_rss;
	k->next_at = now;
	k->next_rss = rss;
}

static struct known *find(struct census *c, pid_t pid)
{
	struct known want = { .proc.pid = pid };

	return c->nknown ? bsearch(&want, c->known, c->nknown, sizeof want, by_pid) : NULL;
}

struct round { struct census *c; struct known *add; size_t n; double now; };

static int each(pid_t pid, void *arg)
{
	struct round *r = arg;
	struct known *k = find(r->c, pid);
	struct proc p;
	struct err e;

	/* kernel threads have no memory of their own */
	if (proc_read(&p, pid, &e) || !p.vm_bytes || p.state == 'Z') return 0;
	if (k && k->proc.start_ticks == p.start_ticks) {
		k->proc = p;
		k->seen = 1;
		grow(k, r->now);
		return 0;
	}
	if (!(r->n & (r->n - 1))) r->add = xreallocarray(r->add, r->n ? 2 * r->n : 1, sizeof *r->add);
	k = &r->add[r->n++];
	*k = (struct known){ .proc = p, .seen = 1, .live = NAN, .retained = NAN, .rate = NAN, .allocator = ".." };
	find_container(k);
	grow(k, r->now);
	return 0;
}

/* Who is there: those who have gone are forgotten. */
static int go_round(struct census *c, struct err *e)
{
	struct round r = { .c = c, .now = post_clock() };
	size_t n = 0;

	for (size_t i = 0; i < c->nknown; i++) c->known[i].seen = 0;
	if (proc_each(each, &r, e)) return -1;
	for (size_t i = 0; i < c->nknown; i++)
		if (c->known[i].seen) c->known[n++] = c->known[i];
	c->known = xreallocarray(c->known, n + r.n + 1, sizeof *c->known);
	if (r.n) memcpy(c->known + n, r.add, r.n * sizeof *r.add);
	c->nknown = n + r.n;
	qsort(c->known, c->nknown, sizeof *c->known, by_pid);
	free(r.add);
	return 0;
}

/* The one that is due, the never seen first, the largest of them first. NULL: none. */
static struct known *due(struct census *c)
{
	struct known *best = NULL;
	double now = post_clock();

	for (size_t i = 0; i < c->nknown; i++) {
		struct known *k = &c->known[i];
		if (k->looked && (k->again > now || k->denied)) continue;
		if (!best || k->looked < best->looked || (k->looked == best->looked && k->proc.rss_bytes > best->proc.rss_bytes)) best = k;
	}
	return best;
}

static const char *agent_word(const struct known *k)
{
	static const char *const word[] = { "-", "loaded", "active", "stopped", "?" };

	return k->looked ? word[k->agent] : "..";
}

static void row(struct table *t, const struct known *k)
{
	struct table_row *r = table_add(t, (uint64_t)k->proc.pid << 32 ^ k->proc.start_ticks);
	struct passwd pw, *found = NULL;
	char buf[1024], user[32];
	double now = post_clock();

	if (!getpwuid_r(k->proc.uid, &pw, buf, sizeof buf, &found) && found) snprintf(user, sizeof user, "%.31s", pw.pw_name);
	else snprintf(user, sizeof user, "%u", (unsigned)k->proc.uid);
	r->cell[PROCESSES_PID].number = k->proc.pid;
	r->cell[PROCESSES_USER].text = table_text(t, user);
	r->cell[PROCESSES_ALLOCATOR].text = table_text(t, k->allocator);
	r->cell[PROCESSES_RSS].number = (double)k->proc.rss_bytes;
	r->cell[PROCESSES_LIVE].number = k->live;
	r->cell[PROCESSES_RETAINED].number = k->retained;
	if (now - k->rss_at >= least_growth_s) r->cell[PROCESSES_GROWTH].number = ((double)k->proc.rss_bytes - k->rss) / (now - k->rss_at) * 60;
	r->cell[PROCESSES_RATE].number = k->rate;
	r->cell[PROCESSES_THREADS].number = k->proc.threads;
	r->cell[PROCESSES_AGENT].text = agent_word(k);
	r->cell[PROCESSES_CONTAINER].text = *k->container ? table_text(t, k->container) : "-";
	r->cell[PROCESSES_COMMAND].text = table_text(t, *k->proc.cmdline ? k->proc.cmdline : k->proc.comm);
}

static int by_container(const void *a, const void *b)
{
	const struct known *x = *(const struct known *const *)a, *y = *(const struct known *const *)b;
	int d = strcmp(x->container, y->container);

	return d ? d : (x->proc.rss_bytes < y->proc.rss_bytes) - (x->proc.rss_bytes > y->proc.rss_bytes);
}

/* Where it adds up: unknown figures are left out, and all unknown is unknown. */
static void add_up(struct table_row *to, const struct table_row *r)
{
	static const int sums[] = { PROCESSES_RSS, PROCESSES_LIVE, PROCESSES_RETAINED, PROCESSES_GROWTH, PROCESSES_RATE, PROCESSES_THREADS };

	for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
		double *n = &to->cell[sums[i]].number, v = r->cell[sums[i]].number;
		if (!isnan(v)) *n = isnan(*n) ? v : *n + v;
	}
}

/* The same, each container's processes below it. */
static struct table *groups(const struct census *c)
{
	struct table *t = table_new(panel_groups.shape);
	const struct known **k = xcalloc(c->nknown + 1, sizeof *k);
	size_t n = 0, head = 0;

	for (size_t i = 0; i < c->nknown; i++)
		if (c->known[i].proc.pid != getpid()) k[n++] = &c->known[i];
	qsort(k, n, sizeof *k, by_container);
	for (size_t i = 0; i < n; i++) {
		if (!i || strcmp(k[i]->container, k[i - 1]->container)) {
			const char *name = *k[i]->container ? k[i]->container : k[i]->looked ? "(no container)" : "(not looked at yet)";
			head = t->nrows;
			table_add(t, table_id(7, name))->cell[PROCESSES_COMMAND].text = table_text(t, name);
		}
		row(t, k[i]);
		t->row[t->nrows - 1].depth = 1;
		add_up(&t->row[head], &t->row[t->nrows - 1]);
	}
	free(k);
	return t;
}

static struct state *make(const struct census *c)
{
	struct state *s = state_new();
	struct table *t = table_new(panel_processes.shape);
	unsigned denied = 0, agents = 0, unseen = 0;

	s->at = post_date();
	for (size_t i = 0; i < c->nknown; i++) {
		const struct known *k = &c->known[i];
		if (k->proc.pid == getpid()) continue;
		row(t, k);
		denied += (unsigned)k->denied;
		unseen += !k->looked;
		agents += k->agent == AGENT_ACTIVE || k->agent == AGENT_STOPPED;
	}
	char more[96] = "";
	if (unseen) snprintf(more, sizeof more, "; %u not looked at yet", unseen);
	if (denied) snprintf(more + strlen(more), sizeof more - strlen(more), "; %u may not be looked at%s", denied, geteuid() ? " (run as root)" : "");
	table_note(t, "%u with an agent%s%s", agents, more, agents ? "" : "; start one with  alloctop run -- CMD");
	s->table[STATE_PROCESSES] = t;
	s->table[STATE_GROUPS] = groups(c);
	return s;
}

static void *census_main(void *arg)
{
	struct census *c = arg;
	struct err e;
	struct known *k;

	for (;;) {
		double start = post_clock();
		if (go_round(c, &e)) break;
		while (c->whole && (k = due(c)) && !k->looked) look(c, k);
		post_put(&c->post, make(c));
		int any = 0, bad = 0;
		while (!bad && c->debt <= 0 && (k = due(c))) {
			look(c, k);
			/* what is new is shown soon */
			if (++any % 8 == 0) post_put(&c->post, make(c));
			bad = post_sleep(&c->post, 0, 0);
		}
		if (any && !bad) post_put(&c->post, make(c));
		double left = start + c->delay - post_clock();
		if (bad || post_sleep(&c->post, left > 0.05 ? left : 0.05, 0)) break;
		if (c->debt > 0) c->debt -= share * (post_clock() - start);
	}
	return NULL;
}

static int census_descriptor(const struct feed *f) { return ((const struct census *)f)->post.event; }
static struct state *census_take(struct feed *f) { return post_take(&((struct census *)f)->post); }
static void census_want(struct feed *f, unsigned tables) { post_want(&((struct census *)f)->post, tables); }

static void census_close(struct feed *f)
{
	struct census *c = (struct census *)f;

	post_stop(&c->post);
	pthread_join(c->thread, NULL);
	post_close(&c->post);
	free(c->known);
	free(c);
}

static const struct feed_ops ops = { census_descriptor, census_take, census_want, census_close };

int census_open(double delay_s, int whole, struct feed **out, struct err *e)
{
	struct census *c = xcalloc(1, sizeof *c);
	sigset_t old;

	c->feed.ops = &ops;
	c->delay = delay_s;
	c->whole = whole;
	c->debt = -credit_s;
	post_open(&c->post);
	post_block(&old);
	int bad = pthread_create(&c->thread, NULL, census_main, c);
	post_unblock(&old);
	if (bad) return err_set(e, ERR_FAIL, "starting the thread that reads the processes: no more threads are to be had");
	*out = &c->feed;
	return 0;
}
