/* undo.c: attach_undo: everything as it was. See attach.h. The order is that of apply.c backwards. The undo log and all else that stands in the
 * home is the process's own memory by now, and may be anything: what is acted on is checked to lie where it can only be ours, or be a GOT
 * entry that holds an address of ours. */
#include "inspect/attach/attach.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect/attach/leaving.h"
#include "inspect/attach/litter.h"
#include "inspect/attach/pieces.h"
#include "inspect/attach/pointers.h"
#include "inspect/attach/remote.h"
#include "inspect/attach/session.h"
#include "inspect/attach/step.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { LOG_MAX = 1 << 20, ROUNDS = 12, UNWIND_FROM = 1, TOGETHER = 4096, SEARCH_MAX = 8 << 20, LANDING = HOME_TARGETS * HOME_LANDING };

struct undo {
	pid_t pid;
	struct target target;
	struct maps before;             /* the stop: target.maps are those of the stop from then on, with names of these */
	struct target_stack *stack; size_t stacks;
	struct loadeds loaded;
	const struct loaded *last;      /* of is_place */
	struct session s;
	uint64_t room[ATTACH_ROOMS]; size_t rooms;
	struct attach_write *write; size_t nwrites;
	struct home home;               /* as it was found */
	uint64_t home_addr;
	struct attach_undone *u;
	unsigned try;
	struct leaving *leaving;
	int many;                       /* it has too much memory to be looked at while it stands */
	int littered;                   /* an alloctop that was killed has left code there */
	int status, busy;
	struct err *e;
};

/* ---- what is believed --------------------------------------------------------------------------------------------------------------------- */

static int is_ours(const struct undo *x, uint64_t start, uint64_t size)
{
	uint64_t end;

	if (!size || start % HOME_PAGE || size % HOME_PAGE || __builtin_add_overflow(start, size, &end)) return 0;
	for (uint64_t at = start; at < end;) {
		const struct map *m = maps_find(&x->target.maps, at);
		if (!m || m->inode || m->shared || (*m->path && strncmp(m->path, "[anon:", 6))) return 0;
		at = m->end;
	}
	return 1;
}

/* The area is there, and is ours; if not, it went when an alloctop was killed. */
static int has_area(const struct undo *x)
{
	struct home_area tag;

	if (!x->home.area_size || mem_read_some(x->target.mem, x->home.area, &tag, sizeof tag) < sizeof tag) return 0;
	return !memcmp(tag.magic, HOME_AREA_MAGIC, sizeof HOME_AREA_MAGIC) && tag.home == x->home_addr && is_ours(x, x->home.area, x->home.area_size);
}

/* Is [from, to) in the area? */
static int in_area(const struct home *h, uint64_t from, uint64_t to)
{
	return from == to || (from < to && from >= h->area && to <= h->area + h->area_size);
}

static int believe_home(struct undo *x)
{
	struct home *h = &x->home;
	int good = h->version == HOME_VERSION && h->state <= HOME_LEFT && h->log_entries <= LOG_MAX;

	if (good && !has_area(x)) {
		good = !h->log_entries || h->state == HOME_LEFT;        /* hooks into nowhere would have been noticed */
		h->area_size = h->log_entries = 0;
	}
	if (h->area_size) {
		good = good && in_area(h, h->text, h->text_end) && in_area(h, h->code, h->code_end);
		if (h->log_entries)
			good = good && in_area(h, h->log, h->log + h->log_entries * sizeof *x->write) && in_area(h, h->block, h->block + sizeof(struct attach_block));
	}
	if (good) return 0;
	return err_set(x->e, ERR_UNSUPPORTED, "pid %d: what is left there of an attach is damaged, or another version's: nothing is touched", (int)x->pid);
}

/* In data that belongs to a loaded object, or for a jump in its code. */
static int is_place(struct undo *x, const struct attach_write *w)
{
	if (!x->last || w->addr < x->last->start || w->addr >= x->last->end) x->last = loaded_find(&x->loaded, w->addr);
	const struct loaded *o = x->last;

	for (unsigned i = 0; o && i < o->nphdr; i++) {
		const Elf64_Phdr *p = &o->phdr[i];
		uint64_t at = w->addr - o->bias - p->p_vaddr;
		if (p->p_type == PT_LOAD && p->p_flags & (w->kind == ATTACH_JUMP ? PF_X : PF_W) && at < p->p_memsz && w->size <= p->p_memsz - at) return 1;
	}
	return 0;
}

static int is_write(struct undo *x, const struct attach_write *w)
{
	uint64_t new, landing = x->home_addr + HOME_PAGE;

	if (!w->size || w->size > ATTACH_WRITE_MAX || !is_place(x, w)) return 0;
	if (w->kind == ATTACH_JUMP) return 1;
	memcpy(&new, w->new, sizeof new);
	return w->size == 8 && w->addr % 8 == 0 && (new - x->home.text < x->home.text_end - x->home.text || new - landing < LANDING);
}

/* ---- the hooks ---------------------------------------------------------------------------------------------------------------------------- */

static int stand_in_jump(const struct undo *x)
{
	for (size_t i = 0; i < x->s.seize.n; i++) {
		uint64_t pc = x->s.seize.thread[i].pc;
		for (size_t k = 0; k < x->nwrites; k++)
			if (x->write[k].kind == ATTACH_JUMP && pc > x->write[k].addr && pc - x->write[k].addr < x->write[k].size) return 1;
	}
	return 0;
}

/* What somebody has stored there since stays. A lazy entry never: while it holds our hook the loader has no reason to bind it. */
static int restore_some(struct undo *x, struct attach_write *w, size_t n)
{
	struct pieces p;

	pieces_plan(&p, w, n, &x->target.maps);
	pieces_read(&p, &x->s);
	size_t back = pieces_take_back(&p, &x->u->changed);
	int bad = pieces_write(&p, &x->s, "restore", x->e);
	pieces_free(&p);
	if (!bad) x->u->writes += back;
	return bad;
}

static int restore(struct undo *x)
{
	size_t n = 0;

	if (stand_in_jump(x)) return err_set(x->e, ERR_FAIL, "pid %d: a thread stands in a function's changed entry: try again", (int)x->pid);
	for (size_t i = 0; i < x->nwrites; i++)
		if (is_write(x, &x->write[i])) x->write[n++] = x->write[i];
	x->u->changed += x->nwrites - n;
	for (size_t i = 0; i < n; i += TOGETHER)
		if (restore_some(x, x->write + i, n - i < TOGETHER ? n - i : TOGETHER)) return -1;
	return 0;
}

/* The landing leads to the real functions from now on. */
static int unhook(struct undo *x)
{
	struct attach_block b;
	struct home *h = &x->s.home;
	uint32_t inert = ATTACH_INERT;

	if (h->state != HOME_BEGUN && h->state != HOME_ATTACHED) return 0;
	if (h->log_entries) {
		if (session_write(&x->s, h->block + offsetof(struct attach_block, state), &inert, sizeof inert, x->e)) return -1;
		if (session_read(&x->s, h->block, &b, sizeof b, x->e) || restore(x)) return -1;
		for (unsigned i = 0; i < HOME_TARGETS; i++)
			if (b.entry[i].origin) h->target[i] = b.entry[i].origin;        /* real may be a trampoline, which goes */
	}
	h->state = HOME_LEFT;
	h->log_entries = 0;
	return session_write_home(&x->s, x->e);
}

/* ---- the memory --------------------------------------------------------------------------------------------------------------------------- */

/* The home stays for the sake of its landing. */
static int keep_home(struct undo *x)
{
	struct home *h = &x->s.home;

	if (h->area_size && session_unmap(&x->s, h->area, h->area_size, x->e)) return -1;
	h->area_size = 0;
	h->state = HOME_EMPTY;
	return session_write_home(&x->s, x->e);
}

/* In one piece where they lie together: there is no moment between. */
static int unmap_all(struct undo *x)
{
	const struct home *h = &x->s.home;
	uint64_t own = 2 * HOME_PAGE;

	if (h->area_size && h->area == x->home_addr + own) return session_unmap(&x->s, x->home_addr, own + h->area_size, x->e);
	return keep_home(x) || session_unmap(&x->s, x->home_addr, own, x->e) ? -1 : 0;
}

static int unmap(struct undo *x)
{
	const struct home *h = &x->s.home;
	struct inside_range range[2] = { { h->text, h->text_end }, { h->code, h->code_end } };
	struct pointers_range landing = { x->home_addr + HOME_PAGE, x->home_addr + HOME_PAGE + LANDING }, ours = { h->area, h->area + h->area_size };

	x->u->inside = h->area_size ? leaving_look(x->leaving, &x->s.seize, &x->target, x->stack, x->stacks, range, 2) : 0;
	x->u->image_left = x->u->inside != 0;
	if (x->u->image_left) return 0;
	x->u->landing_left = h->landed && (x->many || pointers_find(&x->s.seize, &x->target, &landing, &ours, SEARCH_MAX));
	return x->u->landing_left ? keep_home(x) : unmap_all(x);
}

static void work(void *arg)
{
	struct undo *x = arg;

	x->status = session_open(&x->s, x->pid, &x->target, x->room, x->rooms, x->try, x->e);
	x->busy = x->status && x->e->kind == ERR_FAIL;
	if (!x->status) {
		/* the same maps as before the stop would do for the objects, not for threads' stacks that came since */
		x->before = x->target.maps;
		x->target.maps = (struct maps){ 0 };
		x->status = maps_now(&x->target.maps, x->pid, MAPS_ALL, &x->before, x->e);
		if (!x->status) {
			x->home_addr = home_find(&x->target.maps, x->target.mem, &x->home);
			if (!x->home_addr) x->status = err_set(x->e, ERR_UNSUPPORTED, "pid %d: nothing is attached to it", (int)x->pid);
		}
	}
	if (!x->status) x->status = believe_home(x);
	if (!x->status) {
		x->s.home = x->home;
		x->s.home_addr = x->home_addr;
		x->nwrites = x->home.log_entries;
		x->write = xcalloc(x->nwrites + 1, sizeof *x->write);
		x->status = session_read(&x->s, x->home.log, x->write, x->nwrites * sizeof *x->write, x->e) || unhook(x) || unmap(x) ? -1 : 0;
	}
	if (!x->status && x->littered) litter_clear(&x->s, &x->target.maps);
	x->u->threads = x->s.seize.n;
	double stood = session_close(&x->s);
	if (stood > x->u->pause_s) x->u->pause_s = stood;
}

/* An alloctop may have been killed when all was done but for its own last bytes, or before its first memory could be found. */
static void tidy(void *arg)
{
	struct undo *x = arg;
	struct err unimportant;
	struct maps now = { 0 };

	int bad = session_open(&x->s, x->pid, &x->target, x->room, x->rooms, x->try, &unimportant);
	x->busy = bad && unimportant.kind == ERR_FAIL;
	if (!bad && !maps_now(&now, x->pid, MAPS_ALL, &x->target.maps, &unimportant)) litter_clear(&x->s, &now);
	session_close(&x->s);
	maps_free(&now);
}

/* 1: its threads would not stop just then. */
static int round_of(pid_t pid, unsigned try, struct leaving *l, struct attach_undone *u, struct err *e)
{
	struct undo x = { .pid = pid, .u = u, .try = try, .leaving = l, .status = -1, .e = e };

	if (target_open_pid(&x.target, pid, e)) return -1;
	x.home_addr = home_find(&x.target.maps, x.target.mem, &x.home);
	loaded_read(&x.loaded, &x.target);
	x.rooms = remote_rooms(&x.target, &x.loaded, x.room, ATTACH_ROOMS);
	x.littered = litter_is(&x.target, x.room, x.rooms);
	if (!x.home_addr) {
		if (x.littered) session_run(tidy, &x);
		err_set(e, ERR_UNSUPPORTED, "pid %d: nothing is attached to it", (int)pid);
	} else {
		x.stacks = target_stacks(&x.target, &x.stack);
		x.many = pointers_many(&x.target, &(struct pointers_range){ x.home.area, x.home.area + x.home.area_size }, SEARCH_MAX);
		if (session_run(work, &x)) err_set(e, ERR_FAIL, "pid %d: no thread for detaching", (int)pid);
		if (!x.status && u->image_left && try >= UNWIND_FROM) leaving_unwind(l, &x.target);
	}
	free(x.write);
	free(x.stack);
	loaded_free(&x.loaded);
	target_close(&x.target);
	maps_free(&x.before);
	return x.busy ? 1 : x.status;
}

/* A thread that is in the image now is elsewhere soon, as a rule. */
int attach_undo(pid_t pid, struct attach_undone *u, struct err *e)
{
	struct leaving *l = leaving_new();
	int status = 0;

	*u = (struct attach_undone){ 0 };
	for (long round = 0; round < ROUNDS; round++) {
		status = round_of(pid, (unsigned)round, l, u, e);
		if (status < 0 || (!status && !u->image_left)) break;
		nanosleep(&(struct timespec){ .tv_nsec = (round + 1) * 5000000 }, NULL);
	}
	leaving_free(l);
	return status ? -1 : 0;
}
