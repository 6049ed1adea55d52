/* cost.c: see cost.h. Most samples are outside the allocators, and unwinding is dear: only a stack that holds a word which points into an
 * allocator's code is unwound, as without one no frame can be the allocator's. */
#include "inspect/perf/cost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/model/plain.h"
#include "inspect/perf/code.h"
#include "inspect/perf/huge.h"
#include "inspect/perf/perf.h"
#include "inspect/perf/sampler.h"
#include "inspect/perf/unwind.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/clock.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { STACKS_MAX = 1 << 17, REFRESH_COST = 10 /* looking anew takes at most a tenth of the time */ };

static const double retry_s = 0.1;              /* after a look that failed */

/* Odd, so that nothing is in step with it; on a machine with more processors less, as one thread of ours reads them all. */
static const double default_hz = 499;
enum { SMALL_MACHINE = 8 };

/* Software events cost nothing where they do not happen; those of the processor are left out where it has none to give. */
static const char default_events[] = "cpu-clock,page-faults,context-switches,cycles,instructions,cache-misses,dTLB-load-misses";
static const char fallback_events[] = "cpu-clock";

/* ---- the program ---- */

static void close_image(struct cost_image *i)
{
	unwind_close(i->unwinder);
	code_close(i->code);
	symbol_close(i->symbols);
	if (i->target) target_close(i->target);
	free(i->target);
	*i = (struct cost_image){ 0 };
}

static void name_program(struct cost *c, const struct proc *p)
{
	const char *slash = strrchr(p->exe, '/'), *base = slash ? slash + 1 : p->exe;

	snprintf(c->program, sizeof c->program, "%.63s", *base && !strncmp(base, p->comm, strlen(p->comm)) ? base : p->comm);
	plain_text(c->program);
	for (char *s = c->program; *s; s++)
		if (strchr(" /?*:;\"'\\", *s) || (s == c->program && (*s == '-' || *s == '.'))) *s = '_';
}

/* What is loaded now. When the process has gone what was learned before stays. */
static int refresh(struct cost *c, struct cost_image *i, struct err *e)
{
	struct cost_image new = { .target = xcalloc(1, sizeof *new.target) };
	double begin = clock_now();
	struct symbol_options so = { .pid = c->pid, .no_inlines = c->o.no_inlines != 0 };

	i->stale = 0;
	if (target_open_pid(new.target, c->pid, e)) {
		free(new.target);
		return -1;
	}
	if (!(new.symbols = symbol_open(NULL, 0, &so, e))) {
		target_close(new.target);
		free(new.target);
		return -1;
	}
	new.code = code_open(new.target, new.symbols);
	new.unwinder = unwind_open(new.target);
	name_program(c, &new.target->proc);
	new.again_s = begin + REFRESH_COST * (clock_now() - begin);
	close_image(i);
	*i = new;
	return 0;
}

static struct cost_image *current(struct cost *c)
{
	struct cost_image *i = &c->image[c->nimages - 1];
	double t = clock_now();
	struct err e;

	if ((!i->target || i->stale) && t >= i->again_s && refresh(c, i, &e)) {
		snprintf(c->why, sizeof c->why, "%s", e.text);
		i->again_s = t + retry_s;
	}
	return i->target ? i : NULL;
}

/* ---- stacks ---- */

static uint64_t hash(const uint64_t *pc, unsigned depth, unsigned salt)
{
	uint64_t h = salt;

	for (unsigned i = 0; i < depth; i++) h = (h ^ pc[i]) * 0x9e3779b97f4a7c15, h ^= h >> 29;
	return h;
}

static void grow(struct cost *c)
{
	c->nslots = c->nslots ? 2 * c->nslots : 1024;
	free(c->slot);
	c->slot = xcalloc(c->nslots, sizeof *c->slot);
	for (size_t i = 0; i < c->nstacks; i++) {
		const struct cost_stack *k = &c->stack[i];
		size_t at = hash(k->pc, k->depth, 2U * k->image + k->kernel) & (c->nslots - 1);
		while (c->slot[at]) at = (at + 1) & (c->nslots - 1);
		c->slot[at] = (uint32_t)i + 1;
	}
}

static struct cost_stack *find(struct cost *c, const uint64_t *pc, unsigned depth, int kernel)
{
	unsigned image = (unsigned)c->nimages - 1;

	if (c->nstacks >= c->nslots / 2) grow(c);
	size_t at = hash(pc, depth, 2 * image + (unsigned)kernel) & (c->nslots - 1);
	for (; c->slot[at]; at = (at + 1) & (c->nslots - 1)) {
		struct cost_stack *k = &c->stack[c->slot[at] - 1];
		if (k->image == image && k->kernel == kernel && k->depth == depth && !memcmp(k->pc, pc, depth * sizeof *pc)) return k;
	}
	if (c->nstacks == STACKS_MAX) return NULL;
	if (!(c->nstacks & (c->nstacks - 1))) c->stack = xreallocarray(c->stack, c->nstacks ? 2 * c->nstacks : 1, sizeof *c->stack);
	c->slot[at] = (uint32_t)c->nstacks + 1;
	struct cost_stack *k = &c->stack[c->nstacks++];
	*k = (struct cost_stack){ .depth = (uint16_t)depth, .image = (uint16_t)image, .kernel = (uint8_t)kernel, .pc = xmalloc((depth + 1) * sizeof *pc) };
	memcpy(k->pc, pc, depth * sizeof *pc);
	return k;
}

static unsigned frames_inside(const struct code *code, const uint64_t *pc, unsigned depth)
{
	unsigned inside = 0;

	for (unsigned i = 0; i < depth; i++)
		if (code_holds(code, pc[i] - (i > 0))) inside = i + 1;
	return inside;
}

/* ---- samples ---- */

static void count(struct cost_sum *sum, double w, int inside, int kernel)
{
	sum->weight += w;
	sum->square += w * w;
	sum->samples++;
	if (!inside) return;
	sum->inside += w;
	sum->square_inside += w * w;
	sum->samples_inside++;
	if (kernel) sum->kernel += w;
}

static void on_sample(void *arg, size_t event, const struct perf_sample *s)
{
	struct cost *c = arg;
	struct cost_image *i = current(c);
	double w = (double)(s->period ? s->period : 1);
	uint64_t pc[COST_DEPTH];
	unsigned depth, inside;
	struct cost_stack *k;

	if (!i) c->sum[event].unknown += w;
	if (!i || !s->has_regs) {       /* without registers: the kernel alone, in exec or at a thread's end */
		count(&c->sum[event], w, 0, 0);
		return;
	}
	if (!c->o.all_stacks && !code_holds(i->code, s->user.reg[UNWIND_PC]) && !code_among(i->code, s->user.stack, s->user.n)) {
		count(&c->sum[event], w, 0, 0);
		return;
	}
	depth = unwind_stack(i->unwinder, &s->user, pc, COST_DEPTH).n;
	inside = frames_inside(i->code, pc, depth);
	count(&c->sum[event], w, inside > 0, s->kernel);
	if (!inside && !c->o.all_stacks) return;
	if (!(k = find(c, pc, depth, s->kernel))) {
		c->dropped++;
		return;
	}
	k->inside = (uint16_t)inside;
	k->weight[event] += w;
	k->samples[event]++;
	if (s->addr && c->huge >= 0 && huge_at(c->huge, s->addr)) k->huge += w;
}

static void on_mapped(void *arg)
{
	struct cost *c = arg;

	c->image[c->nimages - 1].stale = 1;
}

static void on_executed(void *arg)
{
	struct cost *c = arg;
	struct proc p;
	struct err e;

	if (c->image[c->nimages - 1].target && c->nimages < COST_IMAGES) c->nimages++;
	if (!proc_read(&p, c->pid, &e) && p.state != 'Z') name_program(c, &p);
}

static void on_forked(void *arg) { ((struct cost *)arg)->forks++; }
static void on_lost(void *arg, uint64_t n) { ((struct cost *)arg)->lost += (double)n; }

static void drain(struct cost *c)
{
	const struct sampler_calls calls = { on_sample, on_mapped, on_executed, on_forked, on_lost, c };

	sampler_drain(c->sampler, &calls);
}

/* ---- the measurement ---- */

static int open_sampler(struct cost *c, struct err *e)
{
	struct sampler_options so = { .hz = c->o.hz, .on_exec = c->o.on_exec };

	return sampler_open(&c->sampler, c->pid, c->event, c->nevents, &so, e);
}

static int parse(struct cost *c, const char *names, struct err *e)
{
	int n = event_parse(names, c->event, e);

	if (n < 0) return -1;
	if (n == EVENTS_MAX) return err_set(e, ERR_USAGE, "at most %d events", EVENTS_MAX - 1);
	c->nevents = (size_t)n;
	return 0;
}

/* Was the processor's time asked for, or anything else that the processor counts, and there is no counter, nor a clock beside it? */
static int needs_clock(const struct cost *c)
{
	int missing = 0;

	for (size_t i = 0; i < c->nevents; i++) {
		if (event_is_clock(&c->event[i])) return 0;
		if (c->event[i].hardware && !c->event[i].refused) return 0;
		missing |= c->event[i].hardware;
	}
	return missing;
}

/* The clock in front of what was asked for, so that it orders what is shown. */
static int open_with_clock(struct cost *c, struct err *e)
{
	sampler_close(c->sampler);
	c->sampler = NULL;
	memmove(c->event + 1, c->event, sizeof *c->event * c->nevents++);
	if (event_parse(fallback_events, c->event, e) < 0) return -1;
	return open_sampler(c, e);
}

int cost_open(struct cost **out, pid_t pid, const struct cost_options *o, struct err *e)
{
	struct cost *c = xcalloc(1, sizeof *c);
	int bad = 0;

	c->pid = c->inner_pid = pid;
	c->o = *o;
	if (!(c->o.hz > 0)) c->o.hz = fmax(29, default_hz * fmin(1, (double)SMALL_MACHINE / (double)sysconf(_SC_NPROCESSORS_ONLN)));
	c->nimages = 1;
	c->huge = -1;
	if (!o->on_exec && refresh(c, &c->image[0], e)) bad = -1;
	if (!bad) bad = parse(c, o->events ? o->events : default_events, e);
	if (!bad) {
		bad = open_sampler(c, e);
		if ((!bad || e->kind == ERR_UNSUPPORTED) && needs_clock(c)) bad = open_with_clock(c, e);
	}
	if (bad) {
		cost_close(c);
		return -1;
	}
	struct proc p;
	struct err unimportant;
	if (!proc_read(&p, pid, &unimportant)) c->inner_pid = p.inner_pid;
	c->threads = sampler_threads(c->sampler);
	c->left_out = sampler_left_out(c->sampler);
	c->inherits = sampler_inherits(c->sampler);
	*out = c;
	return 0;
}

void cost_close(struct cost *c)
{
	if (!c) return;
	sampler_close(c->sampler);
	for (size_t i = 0; i < c->nimages; i++) close_image(&c->image[i]);
	for (size_t i = 0; i < c->nstacks; i++) free(c->stack[i].pc);
	free(c->stack);
	free(c->slot);
	if (c->huge >= 0) close(c->huge);
	free(c);
}

void cost_begin(struct cost *c)
{
	if (c->o.huge) c->huge = huge_open(c->pid);
	c->begin_s = clock_now();
	if (!c->o.on_exec) sampler_start(c->sampler);
}

int cost_step(struct cost *c, double seconds)
{
	struct proc p;
	struct err e;

	sampler_wait(c->sampler, seconds);
	drain(c);
	if (proc_read(&p, c->pid, &e) || p.state == 'Z' || p.state == 'X') c->exited = 1;
	else if (p.threads > c->threads_max) c->threads_max = p.threads;
	return !c->exited;
}

void cost_end(struct cost *c)
{
	sampler_stop(c->sampler);
	c->period_s = clock_now() - c->begin_s;
	drain(c);
	sampler_read(c->sampler);
}

void cost_measure(struct cost *c, double seconds, const int *interrupt)
{
	double until, left = 0.05;

	cost_begin(c);
	until = c->begin_s + seconds;
	while (!__atomic_load_n(interrupt, __ATOMIC_RELAXED) && (!(seconds > 0) || (left = until - clock_now()) > 0))
		if (!cost_step(c, left < 0.05 ? left : 0.05)) break;
	cost_end(c);
}

/* ---- figures ---- */

/* A clock that only sees user mode counts the kernel's time too, but samples nothing in it. */
static double whole(const struct cost *c, size_t i)
{
	return c->event[i].user_only && event_is_clock(&c->event[i]) ? fmax(c->event[i].count, c->sum[i].weight) : c->sum[i].weight;
}

double cost_share(const struct cost *c, size_t i, double *error)
{
	const struct cost_sum *s = &c->sum[i];
	double all = whole(c, i), share;

	*error = -1;
	if (c->event[i].refused || !(s->samples > 0) || s->unknown > s->weight / 2) return -1;
	share = s->inside / all;
	/* never seen in so many samples: not never; nor is always always */
	*error = 1 / s->samples;
	if (s->samples_inside > 0 && s->samples_inside < s->samples)
		*error = sqrt(s->square_inside * (1 - share) * (1 - share) + (s->square - s->square_inside) * share * share) / all;
	return share;
}

double cost_inside(const struct cost *c, size_t i)
{
	double error, share = cost_share(c, i, &error);

	return share < 0 ? -1 : share * c->event[i].count;
}

int cost_main_event(const struct cost *c)
{
	for (size_t i = 0; i < c->nevents; i++)
		if (!c->event[i].refused) return (int)i;
	return -1;
}
