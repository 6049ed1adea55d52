/* observe.c: see observe.h. Three threads: `tick` makes the states and owns all that they are made of; `heap` and `locks` take as long as
 * they take and hand over what they read. Each costs the target nothing but being looked at, and us a few percent of a core at most: the
 * longer a reading took, the longer the pause behind it. */
#include "tui/observe.h"

#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/recall.h"
#include "inspect/allocator/survey.h"
#include "inspect/client/agent.h"
#include "inspect/lock/lock.h"
#include "inspect/model/plain.h"
#include "inspect/model/site_names.h"
#include "inspect/model/sites.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"
#include "tui/feed.h"
#include "tui/outlook.h"
#include "tui/panel.h"
#include "tui/post.h"
#include "tui/sites.h"
#include "tui/span.h"

enum { NAMES_S = 60, HEAP_OLD_S = 10, YOUNG_S = 10, LARGE_ROWS = 500, LARGE_S = 5, HEAP_TABLES = 1 << STATE_CLASSES | 1 << STATE_ARENA | 1 << STATE_MAPS | 1 << STATE_LEDGER | 1 << STATE_THREAD, DEAR_TABLES = 1 << STATE_CALLEES | 1 << STATE_CALLERS };

/* What each source of lock waits may take of a core while it watches. */
static const double lock_share = 0.003;

/* What a thread reads and hands over: `next` under the post's mutex. */
struct handed { void *next; double began; char why[sizeof ((struct err *)0)->text]; int tried; };

struct observe {
	struct feed feed;
	struct post post;
	pid_t pid;
	double delay;
	int whole, lock_interrupt, stops, look;
	unsigned users;                 /* the three threads, and who opened it: the last one frees */
	struct handed heap_handed, lock_handed;
	/* the tick's own */
	struct proc proc;
	struct agent *agent;
	double agent_again;             /* when to look for an agent again */
	char agent_why[sizeof ((struct err *)0)->text];
	struct span span;
	struct symbolizer *symbols; uint64_t symbols_sum;
	struct site_names *names; double names_at;
	struct heap *heap; double heap_at; int heap_new;
	struct lock_report *locks; int locks_new;
	struct table *made[STATE_TABLES]; double made_at[STATE_TABLES];
	struct table *earlier[2]; double earlier_at[2];  /* sites of about a minute ago, and their successor */
};

static void hand_over(struct observe *o, struct handed *h, void (*drop)(void *), void *what, double began, const char *why)
{
	void *old;

	pthread_mutex_lock(&o->post.mutex);
	old = what ? h->next : NULL;
	if (what) h->next = what, h->began = began;
	snprintf(h->why, sizeof h->why, "%s", why);
	/* who waits for the whole, or for the first of it, is told at once */
	if (!h->tried || (o->whole && what)) o->post.kicked = 1, pthread_cond_broadcast(&o->post.woken);
	h->tried = 1;
	pthread_mutex_unlock(&o->post.mutex);
	if (old) drop(old);
}

/* *began: when its reading did; NULL: of no interest. */
static void *take_over(struct observe *o, struct handed *h, double *began)
{
	pthread_mutex_lock(&o->post.mutex);
	void *what = h->next;
	if (what && began) *began = h->began;
	h->next = NULL;
	pthread_mutex_unlock(&o->post.mutex);
	return what;
}

static void drop_heap(void *h) { if (h) heap_free(h), free(h); }
static void drop_locks(void *l) { if (l) lock_report_free(l), free(l); }

static void release(struct observe *o)
{
	if (__atomic_sub_fetch(&o->users, 1, __ATOMIC_ACQ_REL)) return;
	agent_close(o->agent);
	span_forget(&o->span);
	site_names_free(o->names);
	symbol_close(o->symbols);
	drop_heap(o->heap);
	drop_heap(o->heap_handed.next);
	drop_locks(o->locks);
	drop_locks(o->lock_handed.next);
	for (int i = 0; i < STATE_TABLES; i++) table_leave(o->made[i]);
	table_leave(o->earlier[0]);
	table_leave(o->earlier[1]);
	post_close(&o->post);
	free(o);
}

/* Until it is to be read again. A half percent of a core, one while somebody looks at what comes of it; a heap that takes long may cost five
 * then, and two otherwise, so as not to be out of date. Who begins to look does not wait for what was planned before. A process that has just
 * begun is another one soon: its libraries come, its allocator with them. Whether to stop. */
static int heap_sleep(struct observe *o, double cost, int bad, int young)
{
	double start = post_clock(), left;

	do {
		int looked = (post_wanted(&o->post) & HEAP_TABLES) != 0;
		double pause = cost * (looked ? 100 : 200);
		if (pause > HEAP_OLD_S) pause = fmax(HEAP_OLD_S, cost * (looked ? 20 : 50));
		if (young) pause = cost * 10;
		if (pause < o->delay) pause = o->delay;
		left = start + (bad ? 10 : pause) - post_clock();
		if (post_sleep(&o->post, left < 0 ? 0 : left > 0.5 ? 0.5 : left, 0)) return 1;
	} while (left > 0.5);
	return 0;
}

/* As it is now; anew when the process has executed another program, of which an open target knows nothing. */
static int look(struct target *t, int *opened, pid_t pid, struct err *e)
{
	struct proc now;

	if (*opened && !proc_read(&now, pid, e) && now.stack_start != t->proc.stack_start) {
		target_close(t);
		*opened = 0;
	}
	if (*opened) return target_refresh(t, e);
	if (target_open_pid(t, pid, e)) return -1;
	*opened = 1;
	return 0;
}

static void *heap_main(void *arg)
{
	struct observe *o = arg;
	struct recall recall = { 0 };
	struct survey_options options = { .flags = ALLOCATOR_REQUESTED, .recall = &recall };
	struct target t;
	struct err e;
	int opened = 0, bad;
	double cost;

	do {
		struct heap *h = xcalloc(1, sizeof *h);
		double start = post_cpu(), began = post_clock();
		bad = look(&t, &opened, o->pid, &e);
		if (!bad) bad = survey_read(&t, &options, h, &e);
		cost = post_cpu() - start;
		hand_over(o, &o->heap_handed, drop_heap, bad ? NULL : h, began, bad ? e.text : "");
		if (bad) free(h);
		if (bad && e.kind == ERR_GONE) break;
	} while (!heap_sleep(o, cost, bad, opened && t.proc.uptime_s < YOUNG_S));
	if (opened) target_close(&t);
	release(o);
	return NULL;
}

static void *lock_main(void *arg)
{
	struct observe *o = arg;
	struct recall recall = { 0 };
	struct lock_options options = { .rate_hz = 100, .core_share = lock_share, .no_agent = 1, .recall = &recall };
	struct target t;
	struct err e;
	int opened = 0, looked;

	do {
		looked = (post_wanted(&o->post) & 1 << STATE_LOCK) != 0;
		options.period_s = looked ? 1 : 0.5;
		/* stopping is for who looks at the stacks */
		options.no_stop = !looked || !__atomic_load_n(&o->stops, __ATOMIC_RELAXED);
		struct lock_report *l = xcalloc(1, sizeof *l);
		int bad = look(&t, &opened, o->pid, &e);
		if (!bad) bad = lock_measure(&t, &options, &o->lock_interrupt, l, &e);
		hand_over(o, &o->lock_handed, drop_locks, bad ? NULL : l, 0, bad ? e.text : "");
		if (bad) free(l);
		if (bad && e.kind == ERR_GONE) break;
		if (post_sleep(&o->post, bad ? 10 : looked ? 1 : 4, 0)) break;
	} while (1);
	if (opened) target_close(&t);
	release(o);
	return NULL;
}

/* Objects come and go with dlopen. Reading their symbols is dear: only when they did. Names are found anew from time to time as well: of
 * code that is made at run time more is known later. */
static void refresh_symbols(struct observe *o)
{
	const struct snapshot *s = o->span.now.taken ? &o->span.now.snap : NULL;
	struct symbol_options options = { .pid = o->pid };
	uint64_t sum = s ? s->nmodules + 1 : 1;
	struct err e;

	for (size_t i = 0; s && i < s->nmodules; i++) sum = sum * 31 + s->module[i].start * 7 + s->module[i].end;
	if (o->names && (o->symbols_sum != sum || post_clock() - o->names_at > NAMES_S)) {
		site_names_free(o->names);
		o->names = NULL;
	}
	if (o->symbols_sum != sum || !o->symbols) {
		symbol_close(o->symbols);
		o->symbols_sum = sum;
		o->symbols = symbol_open(s ? s->module : NULL, s ? s->nmodules : 0, &options, &e);
	}
	if (!o->names) o->names = site_names_new(o->symbols), o->names_at = post_clock();
}

static void read_agent(struct observe *o)
{
	double now = post_clock();
	struct snapshot snap;
	struct err e = { 0 };

	if (__atomic_exchange_n(&o->look, 0, __ATOMIC_RELAXED)) {
		agent_close(o->agent);
		o->agent = NULL;
		o->agent_again = 0;
	}
	if (!o->agent && now < o->agent_again) return;
	if (!o->agent && agent_open(o->pid, &o->agent, &e)) o->agent = NULL;
	if (o->agent && !agent_snapshot(o->agent, &snap, &e)) {
		span_take(&o->span, &snap, now, o->delay / 2);
		o->agent_why[0] = 0;
		return;
	}
	agent_close(o->agent);
	o->agent = NULL;
	o->agent_again = now + (e.kind == ERR_UNSUPPORTED ? 5 : 1);
	snprintf(o->agent_why, sizeof o->agent_why, "%s", e.text);
	span_forget(&o->span);
}

static void read_rest(struct observe *o)
{
	struct heap *h = take_over(o, &o->heap_handed, &o->heap_at);
	struct lock_report *l = take_over(o, &o->lock_handed, NULL);

	o->heap_new = h != NULL;
	o->locks_new = l != NULL;
	if (h) {
		drop_heap(o->heap);
		o->heap = h;
	}
	if (l) {
		drop_locks(o->locks);
		o->locks = l;
	}
}

/* The growth of sites, against a table of half a minute to a minute ago, or what there is of that. */
static void set_growth(struct observe *o, struct table *sites, double now)
{
	if (!o->earlier[0]) {
		o->earlier[0] = table_use(sites);
		o->earlier_at[0] = now;
		return;
	}
	if (now - o->earlier_at[0] >= 5) sites_growth(sites, o->earlier[0], now - o->earlier_at[0]);
	if (!o->earlier[1] && now - o->earlier_at[0] < 30) return;
	if (o->earlier[1] && now - o->earlier_at[1] < 30) return;
	if (o->earlier[1]) {
		table_leave(o->earlier[0]);
		o->earlier[0] = o->earlier[1];
		o->earlier_at[0] = o->earlier_at[1];
	}
	o->earlier[1] = table_use(sites);
	o->earlier_at[1] = now;
}

/* Is the table that there is of kind k good enough for now? Nobody looks at it, and it is a large one: they are made less often. */
static int keeps(const struct observe *o, enum state_table k, unsigned wanted)
{
	const struct table *t = o->made[k];

	return t && !(1u << k & wanted) && t->nrows > LARGE_ROWS && post_clock() - o->made_at[k] < LARGE_S;
}

static void fill_tables(struct observe *o, struct state *s, const struct observation *seen)
{
	unsigned wanted = post_wanted(&o->post), here = (seen->snap ? PANEL_AGENT : 0) | (seen->heap ? PANEL_HEAP : 0) | (seen->locks ? PANEL_LOCKS : 0);
	unsigned new = (seen->snap ? PANEL_AGENT : 0) | (o->heap_new ? PANEL_HEAP : 0) | (o->locks_new ? PANEL_LOCKS : 0);

	for (const struct panel *const *p = panels_all; *p; p++) {
		enum state_table k = (*p)->table;
		if (!(*p)->fill || k >= STATE_TABLES) continue;
		int make = ((*p)->parts & here) && (!o->made[k] || ((*p)->parts & new)) && (!((1u << k) & DEAR_TABLES) || ((1u << k) & wanted)) && !keeps(o, k, wanted);
		if (make) {
			struct table *t = table_new((*p)->shape);
			(*p)->fill(t, seen);
			if (k == STATE_SITES) set_growth(o, t, o->span.now.at);
			table_leave(o->made[k]);
			o->made[k] = t;
			o->made_at[k] = post_clock();
		} else if (!((*p)->parts & here) || (((1u << k) & DEAR_TABLES) && !((1u << k) & wanted))) {
			table_leave(o->made[k]);
			o->made[k] = NULL;
		}
		s->table[k] = table_use(o->made[k]);
	}
}

static void who(struct state *s, const struct proc *p)
{
	const char *slash = strrchr(p->exe, '/'), *base = slash ? slash + 1 : p->exe;
	struct passwd pw, *found = NULL;
	char buf[1024];

	/* a program is known by the name it goes by, but the kernel cuts that at 15 characters */
	state_say(s, STATE_PROGRAM, "%.60s", strlen(p->comm) == 15 && !strncmp(base, p->comm, 15) ? base : p->comm);
	if (!getpwuid_r(p->uid, &pw, buf, sizeof buf, &found) && found) state_say(s, STATE_USER, "%.31s", pw.pw_name);
	else state_say(s, STATE_USER, "%u", (unsigned)p->uid);
	s->pid = p->pid;
	if (p->inner_pid != p->pid) s->figure[STATE_INNER_PID] = p->inner_pid;
	s->figure[STATE_RSS] = (double)p->rss_bytes;
	s->figure[STATE_VM] = (double)p->vm_bytes;
	s->figure[STATE_THREADS] = p->threads;
	s->figure[STATE_UPTIME] = p->uptime_s;
}

static struct state *make(struct observe *o)
{
	struct state *s = state_new();
	struct sites sites = { 0 };
	const struct moment *since = span_since(&o->span), *far = span_far(&o->span);
	struct observation seen = {
		.snap = o->span.now.taken ? &o->span.now.snap : NULL, .before = since ? &since->snap : NULL, .interval_s = since ? o->span.now.at - since->at : 0,
		.far = far ? &far->snap : NULL, .far_s = far ? o->span.now.at - far->at : 0,
		.heap = o->heap, .locks = o->locks, .symbols = o->symbols,
	};

	s->at = post_date();
	who(s, &o->proc);
	if (seen.snap) {
		sites_make(&sites, seen.snap, seen.before, seen.interval_s, o->names);
		if (seen.far) sites_look_back(&sites, seen.snap, seen.far, seen.far_s, o->names);
		seen.sites = &sites;
		outlook_agent(s, seen.snap, &sites);
	}
	if (o->heap) {
		outlook_heap(s, o->heap);
		s->figure[STATE_HEAP_AGE] = post_clock() - o->heap_at;
	}
	if (o->locks) outlook_locks(s, o->locks);
	fill_tables(o, s, &seen);
	pthread_mutex_lock(&o->post.mutex);
	if (!o->heap && *o->heap_handed.why) state_say(s, STATE_NOTES, "heap not read: %s", o->heap_handed.why);
	if (!o->locks && *o->lock_handed.why) state_say(s, STATE_LOCKS, "not known: %s", o->lock_handed.why);
	pthread_mutex_unlock(&o->post.mutex);
	outlook_verdict(s, &seen);
	if (seen.sites) sites_free(&sites);
	return s;
}

/* The process is no more: says so once, on a state without figures; the screen keeps the last one. */
static int gone(struct observe *o)
{
	struct proc p;
	struct err e;
	int bad = proc_read(&p, o->pid, &e);

	if (!bad && p.start_ticks == o->proc.start_ticks && p.state != 'Z' && p.state != 'X') {
		o->proc = p;
		return 0;
	}
	struct state *s = state_new();
	s->at = post_date();
	s->pid = o->pid;
	state_say(s, STATE_GONE, "%s", !bad && p.start_ticks != o->proc.start_ticks ? "the process has ended (another one has its PID now)" : "the process has ended");
	post_put(&o->post, s);
	return 1;
}

static int complete(struct observe *o)
{
	pthread_mutex_lock(&o->post.mutex);
	int tried = o->heap_handed.tried && o->lock_handed.tried;
	pthread_mutex_unlock(&o->post.mutex);
	return tried;
}

/* From then on screens come when they are due, not with each reading of a heap. */
static void no_longer_whole(struct observe *o)
{
	pthread_mutex_lock(&o->post.mutex);
	o->whole = o->post.kicked = 0;
	pthread_mutex_unlock(&o->post.mutex);
}

static void *tick_main(void *arg)
{
	struct observe *o = arg;
	double first = post_clock();

	for (;;) {
		double start = post_clock();
		/* who looks once waits until all is there, but not for ever */
		if (o->whole && !complete(o) && start - first < 60) {
			if (post_sleep(&o->post, 0.2, 1)) break;
			continue;
		}
		if (o->whole) no_longer_whole(o);
		if (gone(o)) break;
		read_agent(o);
		read_rest(o);
		refresh_symbols(o);
		post_put(&o->post, make(o));
		double left = start + o->delay - post_clock();
		if (post_sleep(&o->post, left > 0.02 ? left : 0.02, 1)) break;
	}
	release(o);
	return NULL;
}

static int observe_descriptor(const struct feed *f) { return ((const struct observe *)f)->post.event; }
static struct state *observe_take(struct feed *f) { return post_take(&((struct observe *)f)->post); }
static void observe_want(struct feed *f, unsigned tables) { post_want(&((struct observe *)f)->post, tables); }

static void observe_permit(struct feed *f, int stops) { __atomic_store_n(&((struct observe *)f)->stops, stops, __ATOMIC_RELAXED); }

static void observe_look(struct feed *f) { __atomic_store_n(&((struct observe *)f)->look, 1, __ATOMIC_RELAXED); }

/* Waits for nobody: a heap of many gigabytes may be half read. */
static void observe_close(struct feed *f)
{
	struct observe *o = (struct observe *)f;

	__atomic_store_n(&o->lock_interrupt, 1, __ATOMIC_RELAXED);
	post_stop(&o->post);
	release(o);
}

static const struct feed_ops ops = { observe_descriptor, observe_take, observe_want, observe_permit, observe_look, observe_close };

int observe_open(pid_t pid, double delay_s, int whole, struct feed **out, struct err *e)
{
	struct target probe;
	struct proc p;
	sigset_t old;

	if (proc_read(&p, pid, e)) return -1;
	/* says why when nothing of it may be read */
	if (target_open_pid(&probe, pid, e)) return -1;
	target_close(&probe);
	struct observe *o = xcalloc(1, sizeof *o);
	o->feed.ops = &ops;
	o->pid = pid;
	o->delay = delay_s;
	o->whole = whole;
	o->proc = p;
	post_open(&o->post);
	post_block(&old);
	int bad = 0;
	void *(*const thread[])(void *) = { tick_main, heap_main, lock_main };
	o->users = 4;
	for (int i = 0; i < 3; i++) {
		pthread_t id;
		if (pthread_create(&id, NULL, thread[i], o)) bad = 1, release(o);
		else pthread_detach(id);
	}
	post_unblock(&old);
	if (bad) {
		observe_close(&o->feed);
		return err_set(e, ERR_FAIL, "starting the threads that read pid %d: no more threads are to be had", (int)pid);
	}
	*out = &o->feed;
	return 0;
}
