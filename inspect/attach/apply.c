/* apply.c: attach_apply: carries a plan out. See attach.h. In the order of what is safe to leave half done: memory that nobody refers to; the image
 * in it, inert; the undo log; the hooks; and the one word that makes them record. Should alloctop die in between, what is there passes on. */
#include "inspect/attach/attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "inspect/attach/describe.h"
#include "inspect/attach/landing.h"
#include "inspect/attach/litter.h"
#include "inspect/attach/locked.h"
#include "inspect/attach/pieces.h"
#include "inspect/attach/session.h"
#include "inspect/attach/step.h"
#include "inspect/client/ticks.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { TRIES = 8, LOG_SPARE = 2048 /* writes for objects that are loaded later */ };

/* Where things are in the area. */
struct layout { uint64_t code, image, log, log_max, segment, segment_size, private, private_size, mark, size; };

struct apply {
	struct attach_plan *p;
	struct attach_result *r;
	struct session s;
	struct attach_module *module; size_t nmodules; uint32_t lost;
	uint64_t stack_top, clock;
	struct layout layout;
	struct maps now;                /* while it stands */
	uint64_t reserved, reserved_size;
	struct pieces pieces;           /* of what changes */
	int stored;                     /* some may have been made */
	int changed;                    /* the process is another than when the plan was made */
	unsigned try;
	int busy;                       /* its threads would not stop just then */
	int status;
	struct err *e;
};

static uint64_t page_up(uint64_t v) { return (v + HOME_PAGE - 1) & -(uint64_t)HOME_PAGE; }

static uint64_t now_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- is it still as it was planned? ------------------------------------------------------------------------------------------------------- */

static int same_objects(const struct maps *a, const struct maps *b)
{
	size_t i = 0, k = 0;

	for (;; i++, k++) {
		while (i < a->n && !(a->map[i].inode && a->map[i].exec)) i++;
		while (k < b->n && !(b->map[k].inode && b->map[k].exec)) k++;
		if (i == a->n || k == b->n) return i == a->n && k == b->n;
		const struct map *x = &a->map[i], *y = &b->map[k];
		if (x->start != y->start || x->end != y->end || x->inode != y->inode || x->offset != y->offset) return 0;
	}
}

/* A lazy entry may have been bound since: then that is what is put back. */
static int take_old(struct apply *a, struct attach_write *w, const uint8_t *bytes)
{
	uint64_t now = 0, old = 0;

	memcpy(&old, w->old, w->size);
	memcpy(&now, bytes, w->size);
	if (now == old) return 0;
	if (w->kind != ATTACH_JUMP && now == a->p->got.name[w->entry].real) {
		memcpy(w->old, &now, sizeof now);
		return 0;
	}
	a->changed = 1;
	return err_set(a->e, ERR_FAIL, "pid %d: it changed while it was looked at", (int)a->p->pid);
}

static int check(struct apply *a)
{
	struct attach_plan *p = a->p;
	struct home h;

	/* of other mappings only litter and threads' stacks are asked about */
	if (maps_now(&a->now, p->pid, p->littered || p->jumps.n ? MAPS_ALL : MAPS_CODE, &p->target.maps, a->e)) return -1;
	if (!a->now.n) return err_set(a->e, ERR_GONE, "pid %d: it has exited meanwhile", (int)a->p->pid);
	uint64_t home = home_find(&a->now, p->target.mem, &h);
	a->changed = !same_objects(&p->target.maps, &a->now) || home != p->home_addr || (home && h.state != p->home.state);
	if (a->changed) return err_set(a->e, ERR_FAIL, "pid %d: it changed while it was looked at", (int)a->p->pid);
	pieces_read(&a->pieces, &a->s);
	for (size_t i = 0; i < a->pieces.n; i++) {
		const struct piece *q = &a->pieces.piece[i];
		if (!q->known) return err_set(a->e, ERR_FAIL, "pid %d: reading %zu bytes at 0x%llx", (int)a->p->pid, q->size, (unsigned long long)q->at);
		for (struct attach_write *w = q->write; w < q->write + q->writes; w++)
			if (take_old(a, w, pieces_bytes(q, w))) return -1;
	}
	return 0;
}

/* ---- memory -------------------------------------------------------------------------------------------------------------------------------- */

/* The agent takes the largest layout that fits; under a limit of memory it gets less. */
static struct layout lay_out(const struct attach_plan *p, unsigned scale)
{
	struct layout l = { .code = HOME_PAGE, .image = HOME_PAGE + p->jumps.room_size };

	l.log = l.image + p->link.size;
	l.log_max = 2 * p->nwrites + LOG_SPARE;
	l.segment = l.log + page_up(l.log_max * sizeof *p->write);
	l.segment_size = page_up(ATTACH_SEGMENT_SIZE(scale));
	l.private = l.segment + l.segment_size;
	l.private_size = page_up(ATTACH_PRIVATE_SIZE(scale));
	l.mark = l.private + l.private_size;
	l.size = l.mark + HOME_PAGE;
	return l;
}

/* One reservation for all of it, with the home in front when there is none yet. What it is, and then the home, are written first: with the landing it
   can be found. Before that it is known by the call that made it (litter.h). */
static int reserve(struct apply *a, const struct layout *l)
{
	struct home *h = &a->s.home;
	struct home_area tag = { .magic = HOME_AREA_MAGIC };
	uint64_t front = a->p->home_addr ? 0 : 2 * HOME_PAGE, at;

	*h = a->p->home_addr ? a->p->home : (struct home){ .magic = HOME_MAGIC, .version = HOME_VERSION };
	h->state = HOME_BEGUN;
	h->log_entries = 0;
	/* trampolines must be near the code that jumps to them, and everything else is near them */
	at = a->p->jumps.room ? a->p->jumps.room - l->code - front : 0;
	if (session_reserve(&a->s, at, front + l->size, &at, a->e)) return -1;
	a->s.home_addr = front ? at : a->p->home_addr;
	h->area = at + front;
	h->area_size = l->size;
	tag.home = a->s.home_addr;
	a->reserved = at;
	a->reserved_size = front + l->size;
	return session_write(&a->s, h->area, &tag, sizeof tag, a->e) || session_write_home(&a->s, a->e) ? -1 : 0;
}

static int make_landing(struct apply *a)
{
	uint8_t code[HOME_PAGE];
	uint64_t unused;

	if (a->p->home_addr) return 0;
	landing_code(code, HOME_TARGETS, HOME_PAGE - offsetof(struct home, target));
	if (session_map(&a->s, a->s.home_addr + HOME_PAGE, HOME_PAGE, PROT_READ | PROT_EXEC, &unused, a->e)) return -1;
	return session_write(&a->s, a->s.home_addr + HOME_PAGE, code, sizeof code, a->e);
}

static int map_image(struct apply *a, const struct layout *l)
{
	const struct link *k = &a->p->link;
	struct home *h = &a->s.home;
	uint64_t at = h->area + l->image, unused;

	h->image = at;
	h->image_end = at + k->size;
	h->log = h->area + l->log;
	h->log_max = l->log_max;
	h->block = at + k->block;
	for (unsigned i = 0; i < k->nsegments; i++) {
		const struct link_segment *g = &k->segment[i];
		if (g->prot & PROT_EXEC) h->text = at + g->start, h->text_end = at + g->end;
		if (g->prot & PROT_WRITE) h->data = at + g->start, h->data_end = at + g->end;
		if (g->prot != PROT_READ && session_map(&a->s, at + g->start, g->end - g->start, g->prot, &unused, a->e)) return -1;
	}
	return session_write_home(&a->s, a->e);
}

static int map_trampolines(struct apply *a, const struct layout *l)
{
	struct home *h = &a->s.home;
	uint64_t unused;

	h->code = h->area + l->code;
	h->code_end = h->code + a->p->jumps.room_size;
	return h->code == h->code_end ? 0 : session_map(&a->s, h->code, h->code_end - h->code, PROT_READ | PROT_EXEC, &unused, a->e);
}

/* The agent's data, and behind it the page by which it knows a forked child; *marked: this kernel has such pages. */
static int map_data(struct apply *a, const struct layout *l, int *marked)
{
	uint64_t start = a->s.home.area + l->segment, mark = a->s.home.area + l->mark, one = 1, unused;

	if (session_map(&a->s, start, l->size - l->segment, PROT_READ | PROT_WRITE, &unused, a->e)) return -1;
	*marked = !session_wipe_on_fork(&a->s, mark, HOME_PAGE);
	return *marked ? session_write(&a->s, mark, &one, sizeof one, a->e) : 0;
}

static void unreserve(struct apply *a)
{
	struct err unimportant;

	if (!a->reserved_size) return;          /* the home is another's, who has attached since we looked */
	/* the home leads to the area until that is gone: we may be killed in between */
	a->s.home.log_entries = 0;
	if (a->p->home_addr) session_write_home(&a->s, &unimportant);
	session_unmap(&a->s, a->reserved, a->reserved_size, &unimportant);
	a->reserved_size = 0;
	if (!a->p->home_addr) return;
	a->s.home = a->p->home;
	session_write_home(&a->s, &unimportant);
}

/* Does the process lock what it maps (mlockall)? A page that is mapped for a try tells, as nobody else runs. 1, 0, or -1 with the error. */
static int locks_all(struct apply *a)
{
	uint64_t before = a->p->locked ? locked_bytes(a->p->pid) : 0, at;

	if (!before) return 0;
	if (session_reserve(&a->s, 0, HOME_PAGE, &at, a->e)) return -1;
	int locks = locked_bytes(a->p->pid) > before;
	return session_unmap(&a->s, at, HOME_PAGE, a->e) ? -1 : locks;
}

static int map(struct apply *a, int *marked)
{
	int locks = locks_all(a);

	for (unsigned scale = locks > 0 ? ATTACH_SCALES - 1 : 0; locks >= 0 && scale < ATTACH_SCALES; scale++) {
		a->layout = lay_out(a->p, scale);
		a->e->sys = 0;
		if (!reserve(a, &a->layout) && !make_landing(a) && !map_trampolines(a, &a->layout) && !map_image(a, &a->layout) && !map_data(a, &a->layout, marked)) return 0;
		a->changed |= a->e->sys == EEXIST;
		if (a->e->sys != ENOMEM) break;
		unreserve(a);
	}
	if (a->e->sys == EAGAIN && a->p->locked)
		return err_set(a->e, ERR_FAIL, "pid %d: it locks its memory, and may not lock as much more (RLIMIT_MEMLOCK)", (int)a->p->pid);
	return -1;
}

/* ---- the image ----------------------------------------------------------------------------------------------------------------------------- */

/* Where libc keeps a thread's tid, from its thread pointer: believed when it is so for the threads that are looked at. */
static uint32_t find_tid_offset(struct apply *a)
{
	static const uint32_t offset[] = { 0x2d0 /* glibc */, 0x30 /* musl */ };
	const struct target *t = &a->p->target;

	for (unsigned i = 0; i < sizeof offset / sizeof *offset; i++) {
		unsigned agree = 0, differ = 0;
		for (size_t k = 0; k < a->s.seize.n && agree < 8; k++) {
			uint64_t tp = seize_thread_pointer(a->s.seize.thread[k].tid);
			uint32_t tid;
			size_t n = 0;
			while (n < t->nthreads && t->thread[n].tid != a->s.seize.thread[k].tid) n++;
			if (n == t->nthreads) continue;
			if (tp && mem_read_some(t->mem, tp + offset[i], &tid, sizeof tid) == sizeof tid && tid == (uint32_t)t->thread[n].inner) agree++;
			else differ++;
		}
		if (agree && !differ) return offset[i];
	}
	return 0;
}

/* What an allocator's own operator new is made of is in its own object; libstdc++'s calls malloc. */
static uint32_t nature_of(const struct got *g, const struct attach_entry *entry, size_t i)
{
	if (!entry->throws || !g->name[i].owner) return ATTACH_LEARN;
	return g->name[i].owner == g->name[0].owner ? ATTACH_LEAF : ATTACH_OUTER;
}

static void fill_block(struct apply *a, int marked)
{
	struct attach_block *b = link_block(&a->p->link);
	const struct home *h = &a->s.home;
	const struct got *g = &a->p->got;

	b->state = ATTACH_INERT;
	b->flags = a->p->seccomp ? ATTACH_SANDBOXED : 0;
	b->pid = (uint32_t)a->p->target.proc.inner_pid;
	b->tid_offset = find_tid_offset(a);
	b->image = h->image;
	b->image_end = h->image_end;
	b->segment = h->area + a->layout.segment, b->segment_size = a->layout.segment_size;
	b->private = h->area + a->layout.private, b->private_size = a->layout.private_size;
	b->mark = marked ? h->area + a->layout.mark : 0;
	b->stack_top = a->stack_top;
	b->clock = a->clock;
	b->rate = a->p->options.rate;
	b->depth = a->p->options.depth;
	b->started_ticks = ticks_now();
	b->started_monotonic_ns = now_ns(CLOCK_MONOTONIC);
	b->started_realtime_ns = now_ns(CLOCK_REALTIME);
	b->modules_count[0] = (uint32_t)a->nmodules;
	b->modules_lost = a->lost;
	for (size_t i = 0; i < g->nnames; i++) {
		b->entry[i].real = b->entry[i].origin = g->name[i].real;
		b->entry[i].nature = nature_of(g, &b->entry[i], i);
	}
	for (size_t i = 0; i < a->p->jumps.n; i++) {
		const struct jump *j = &a->p->jumps.jump[i];
		struct attach_entry *entry = &b->entry[j->name];
		entry->real = j->plan.trampoline;
		entry->origin = j->function.address;
		entry->nature = j->function.nature;
	}
	const struct link *k = &a->p->link;
	for (unsigned i = 0; i < 2; i++)
		if (b->entry[i].real) memcpy(k->bytes + (b->passed_by[i] - k->base), &b->entry[i].real, 8);
}

/* Where the plain function that would do its work is not hooked, or is another object's, one that throws is left alone. */
static void check_throwing(struct apply *a)
{
	struct attach_entry *entry = link_block(&a->p->link)->entry;

	for (unsigned i = 0; i < ATTACH_ENTRIES_MAX && entry[i].name[0]; i++) {
		const char *plain = entry[i].throws && entry[i].nature == ATTACH_LEAF ? functions_plain(entry[i].name) : NULL;
		unsigned k = 0;
		while (plain && k < ATTACH_ENTRIES_MAX && strcmp(entry[k].name, plain)) k++;
		if (!plain || (k < ATTACH_ENTRIES_MAX && entry[k].real && loaded_find(&a->p->loaded, entry[k].origin) == loaded_find(&a->p->loaded, entry[i].origin))) continue;
		entry[i].nature = ATTACH_OUTER;
	}
}

static int write_trampolines(struct apply *a)
{
	const struct attach_block *b = link_block(&a->p->link);
	size_t n = a->p->jumps.room_size;
	uint64_t hook[ATTACH_ENTRIES_MAX];
	uint8_t *code = xmalloc(n + 1);

	for (unsigned i = 0; i < ATTACH_ENTRIES_MAX; i++) hook[i] = b->entry[i].hook;
	int bad = step("trampolines", a->e);
	if (!bad && jumps_code(&a->p->jumps, hook, code)) bad = err_set(a->e, ERR_FAIL, "pid %d: its hooks are not where they were planned", (int)a->p->pid);
	bad = bad || session_write(&a->s, a->s.home.code, code, n, a->e);
	free(code);
	return bad ? -1 : 0;
}

static int write_image(struct apply *a, int marked)
{
	struct link *k = &a->p->link;
	const struct attach_block *b = link_block(k);

	link_move(k, a->s.home.image);
	a->module[a->nmodules++] = link_module(k);
	fill_block(a, marked);
	check_throwing(a);
	if (a->p->jumps.n && write_trampolines(a)) return -1;
	if (step("image", a->e) || session_write(&a->s, k->base, k->bytes, k->stored, a->e)) return -1;
	return session_write(&a->s, b->modules[0], a->module, a->nmodules * sizeof *a->module, a->e);
}

/* ---- the hooks ----------------------------------------------------------------------------------------------------------------------------- */

int attach_aim(struct attach_write *w, const struct attach_block *b, uint64_t home)
{
	int landing = w->kind != GOT_CALL;
	uint64_t new = landing ? home + HOME_PAGE + (uint64_t)w->entry * HOME_LANDING : b->entry[w->entry].hook;

	memcpy(w->new, &new, sizeof new);
	return landing;
}

static int write_log(struct apply *a)
{
	const struct attach_block *b = link_block(&a->p->link);
	struct home *h = &a->s.home;

	for (size_t i = 0; i < a->p->nwrites; i++) {
		if (a->p->write[i].kind != ATTACH_JUMP) h->landed += attach_aim(&a->p->write[i], b, a->s.home_addr);
	}
	for (unsigned i = 0; i < ATTACH_ENTRIES_MAX; i++) h->target[i] = b->entry[i].hook ? b->entry[i].hook : b->entry[i].real;
	h->log_entries = a->p->nwrites;
	if (step("log", a->e) || session_write(&a->s, h->log, a->p->write, a->p->nwrites * sizeof *a->p->write, a->e)) return -1;
	return session_write_home(&a->s, a->e);
}

/* A thread that stands in bytes that change, or comes back to them, would execute half an instruction. It is elsewhere soon. */
static int entries_free(struct apply *a)
{
	struct inside_range range[ATTACH_ENTRIES_MAX];
	size_t n = 0;

	for (; n < a->p->jumps.n && n < ATTACH_ENTRIES_MAX; n++) range[n] = (struct inside_range){ a->p->jumps.jump[n].plan.busy, a->p->jumps.jump[n].plan.busy_end };
	struct target t = a->p->target;
	t.maps = a->now;        /* threads may have begun since it was looked at */
	pid_t tid = n ? inside_find(&a->s.seize, &t, NULL, 0, range, n) : 0;
	if (!tid) return 0;
	a->changed = 1;
	return err_set(a->e, ERR_FAIL, "pid %d: thread %d stands in a function's first instructions: try again", (int)a->p->pid, (int)tid);
}

static int store(struct apply *a)
{
	uint32_t active = ATTACH_ACTIVE;

	a->stored = 1;
	for (size_t i = 0; i < a->pieces.n; i++) {
		const struct piece *q = &a->pieces.piece[i];
		for (const struct attach_write *w = q->write; w < q->write + q->writes; w++) memcpy(pieces_bytes(q, w), w->new, w->size);
	}
	if (pieces_write(&a->pieces, &a->s, "store", a->e)) return -1;
	a->s.home.state = HOME_ATTACHED;
	if (session_write_home(&a->s, a->e) || step("active", a->e)) return -1;
	if (session_write(&a->s, a->s.home.block + offsetof(struct attach_block, state), &active, sizeof active, a->e)) return -1;
	return seize_alive(&a->s.seize) ? 0 : err_set(a->e, ERR_GONE, "pid %d: it has exited meanwhile", (int)a->p->pid);
}

/* ---- all of it, or nothing ------------------------------------------------------------------------------------------------------------------- */

static void put_back(struct apply *a)
{
	struct err unimportant;
	size_t changed = 0;

	if (a->stored) {
		pieces_read(&a->pieces, &a->s);
		pieces_take_back(&a->pieces, &changed);
		pieces_write(&a->pieces, &a->s, "put back", &unimportant);
	}
	unreserve(a);
}

static void work(void *arg)
{
	struct apply *a = arg;
	int marked = 0;

	a->status = session_open(&a->s, a->p->pid, &a->p->target, a->p->room, a->p->rooms, a->try, a->e);
	a->busy = a->status && a->e->kind == ERR_FAIL;
	if (!a->status) a->status = check(a);
	a->s.home_addr = a->p->home_addr;
	if (!a->status && a->p->littered) litter_clear(&a->s, &a->now);
	if (!a->status && !(a->status = map(a, &marked)))
		a->status = write_image(a, marked) || write_log(a) || entries_free(a) || store(a) ? -1 : 0;
	if (a->status) put_back(a);
	a->r->threads = a->s.seize.n;
	a->r->writes = a->p->nwrites;
	double stood = session_close(&a->s);
	if (stood > a->r->pause_s) a->r->pause_s = stood;
}

/* 1: another attempt may do. */
static int attempt(struct attach_plan *p, unsigned try, struct attach_result *r, struct err *e)
{
	struct apply a = { .p = p, .r = r, .try = try, .status = -1, .e = e };

	a.module = describe_modules(&p->target, &p->loaded, &a.nmodules, &a.lost);
	a.stack_top = describe_stack_top(&p->target);
	a.clock = describe_clock(&p->target, &p->loaded);
	pieces_plan(&a.pieces, p->write, p->nwrites, &p->target.maps);
	if (session_run(work, &a)) err_set(e, ERR_FAIL, "pid %d: no thread for attaching", (int)p->pid);
	pieces_free(&a.pieces);
	maps_free(&a.now);
	free(a.module);
	return a.status && (a.changed || a.busy) ? 1 : a.status;
}

int attach_apply(struct attach_plan *p, struct attach_result *r, struct err *e)
{
	*r = (struct attach_result){ 0 };
	for (unsigned try = 1;; try++) {
		if (p->verdict == ATTACH_REFUSED) return err_set(e, (enum err_kind)p->refusal, "pid %d: %s", (int)p->pid, p->why);
		int status = attempt(p, try - 1, r, e);
		if (status <= 0) return status;
		if (try == TRIES) return -1;
		nanosleep(&(struct timespec){ .tv_nsec = (long)try * 20000000 }, NULL);
		struct attach_options o = p->options;
		pid_t pid = p->pid;
		attach_plan_free(p);
		if (attach_plan(p, pid, &o, e)) {
			struct proc now;
			struct err unimportant;
			if (!proc_read(&now, pid, &unimportant) && now.state == 'Z') e->kind = ERR_GONE;
			return -1;
		}
	}
}
