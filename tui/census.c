/* census.c: see census.h. */
#include "tui/census.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/client/agent.h"
#include "inspect/model/state.h"
#include "inspect/model/table.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "inspect/target/xalloc.h"
#include "tui/feed.h"
#include "tui/known.h"
#include "tui/post.h"
#include "tui/processes.h"

struct census {
	struct feed feed;
	struct post post;
	pthread_t thread;
	double delay, debt;             /* debt: seconds that looking has cost beyond its share */
	int whole;
	struct known *known; size_t nknown;     /* ascending by pid */
	size_t glanced;                 /* where the next glances begin */
};

/* Of a core. The list is new to its user: at first looking may cost more. What has been read of /proc is read again in full from time to
   time: a process may change its command line, and whom it runs as. */
static const double credit_s = 0.7, share = 0.015, glances_s = 0.005, full_s = 20;

static int by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct known *)a)->proc.pid, y = ((const struct known *)b)->proc.pid;

	return (x > y) - (x < y);
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

	if (k && r->now - k->read_at < full_s + pid % 10 && !proc_again(&k->proc)) {
		k->seen = 1;
		/* not in the first round, which somebody waits for */
		known_group(k);
		known_grow(k, r->now);
		return 0;
	}
	if (proc_read(&p, pid, &e)) return 0;
	if (k && k->proc.start_ticks == p.start_ticks && k->proc.stack_start == p.stack_start) {
		k->proc = p;
		k->read_at = r->now;
		k->seen = 1;
		known_grow(k, r->now);
		return 0;
	}
	if (!(r->n & (r->n - 1))) r->add = xreallocarray(r->add, r->n ? 2 * r->n : 1, sizeof *r->add);
	known_new(&r->add[r->n++], &p, r->now);
	return 0;
}

/* Who is there: those who have gone are forgotten. */
static int go_round(struct census *c, struct err *e)
{
	struct round r = { .c = c, .now = post_clock() };
	size_t n = 0;

	for (size_t i = 0; i < c->nknown; i++) c->known[i].seen = 0;
	if (proc_each(each, &r, e)) return -1;
	for (size_t i = 0; i < c->nknown; i++) {
		if (c->known[i].seen) c->known[n++] = c->known[i];
		else known_free(&c->known[i]);
	}
	c->known = xreallocarray(c->known, n + r.n + 1, sizeof *c->known);
	if (r.n) memcpy(c->known + n, r.add, r.n * sizeof *r.add);
	c->nknown = n + r.n;
	qsort(c->known, c->nknown, sizeof *c->known, by_pid);
	free(r.add);
	return 0;
}

/* Each round as many as there is time for, one after the other. */
static void glance_round(struct census *c)
{
	double start = post_clock(), now = start;

	for (size_t i = 0; i < c->nknown && now - start < glances_s; i++) {
		struct known *k = &c->known[c->glanced++ % c->nknown];
		if (!k->nlocks) continue;
		known_glance(k, now);
		now = post_clock();
	}
}

/* Kernel threads have no memory of their own, nor have the dead; and we are not what anybody looks for. */
static int shown(const struct known *k) { return k->proc.vm_bytes && k->proc.state != 'Z' && k->proc.pid != getpid(); }

/* The one that is due, the never seen first, the largest of them first. NULL: none. */
static struct known *due(struct census *c)
{
	struct known *best = NULL;
	double now = post_clock();

	for (size_t i = 0; i < c->nknown; i++) {
		struct known *k = &c->known[i];
		if (!shown(k)) continue;
		if (k->looked && (k->again > now || k->denied)) continue;
		if (!best || k->looked < best->looked || (k->looked == best->looked && k->proc.rss_bytes > best->proc.rss_bytes)) best = k;
	}
	return best;
}

static struct state *make(struct census *c)
{
	struct state *s = state_new();
	struct table *t = table_new(panel_processes.shape);
	const struct known **k = xcalloc(c->nknown + 1, sizeof *k);
	unsigned denied = 0, agents = 0, unseen = 0, grouped = post_wanted(&c->post) & 1u << STATE_GROUPS;
	double now = post_clock();
	size_t n = 0;

	s->at = post_date();
	for (size_t i = 0; i < c->nknown; i++) {
		if (!shown(&c->known[i])) continue;
		if (grouped) known_group(&c->known[i]);
		k[n++] = &c->known[i];
	}
	for (size_t i = 0; i < n; i++) {
		processes_row(t, k[i], now);
		denied += (unsigned)k[i]->denied;
		unseen += !k[i]->looked;
		agents += k[i]->agent == AGENT_ACTIVE || k[i]->agent == AGENT_STOPPED;
	}
	char more[96] = "";
	if (unseen) snprintf(more, sizeof more, "; %u not looked at yet", unseen);
	if (denied) snprintf(more + strlen(more), sizeof more - strlen(more), "; %u may not be looked at%s", denied, geteuid() ? " (run as root)" : "");
	table_note(t, "%u with an agent%s%s", agents, more, agents ? "" : "; alloctop run -- CMD starts one, attach PID adds one");
	s->table[STATE_PROCESSES] = t;
	if (grouped) s->table[STATE_GROUPS] = groups_table(k, n, now);
	free(k);
	return s;
}

/* Looks at those that are due, as long as that is paid for. What is new is shown soon. Whether to end. */
static int look_round(struct census *c)
{
	double shown_at = post_clock();
	struct known *k;
	int any = 0;

	while (c->debt <= 0 && (k = due(c))) {
		c->debt += known_look(k);
		if (k->nlocks) known_glance(k, post_clock());
		any = 1;
		if (post_clock() - shown_at > 0.25) post_put(&c->post, make(c)), shown_at = post_clock(), any = 0;
		if (post_sleep(&c->post, 0, 0)) return 1;
	}
	if (any) post_put(&c->post, make(c));
	return 0;
}

static void *census_main(void *arg)
{
	struct census *c = arg;
	struct err e;
	struct known *k;

	for (;;) {
		double start = post_clock();
		if (go_round(c, &e)) break;
		while (c->whole && (k = due(c)) && !k->looked) known_look(k);
		glance_round(c);
		post_put(&c->post, make(c));
		if (look_round(c)) break;
		double left = start + c->delay - post_clock();
		if (post_sleep(&c->post, left > 0.05 ? left : 0.05, 1)) break;
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
	for (size_t i = 0; i < c->nknown; i++) known_free(&c->known[i]);
	free(c->known);
	free(c);
}

static const struct feed_ops ops = { census_descriptor, census_take, census_want, NULL, NULL, census_close };

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
