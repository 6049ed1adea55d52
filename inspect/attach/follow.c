/* follow.c: attach_follow: a process that is attached to loads other objects, and unloads some. See attach.h. What was hooked is told from what was
 * not by what the words hold. */
#include "inspect/attach/attach.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/attach/describe.h"
#include "inspect/attach/session.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { FOLLOW_TRY = 2 /* it does not try again at once */, WORDS_MAX = 1 << 14 };

struct follow {
	pid_t pid;
	struct target target;
	struct loadeds loaded;
	struct link link;
	struct got got;
	struct home home; uint64_t home_addr;
	struct attach_module *module; size_t nmodules; uint32_t lost;
	struct attach_write *write; size_t nwrites;
	struct session s;
	int status;
	struct err *e;
};

static uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * 0x9E3779B97F4A7C15u; }

/* Which words that were stored still hold that: an object that was closed and opened again may lie where it lay. */
static uint64_t mix_words(uint64_t h, const struct follow *f)
{
	size_t n = f->home.log_entries < WORDS_MAX ? f->home.log_entries : WORDS_MAX;
	struct attach_write *w = xcalloc(n + 1, sizeof *w);

	n = mem_read_some(f->target.mem, f->home.log, w, n * sizeof *w) / sizeof *w;
	for (size_t i = 0; i < n; i++) {
		uint8_t now[8];
		if (w[i].kind != ATTACH_JUMP) h = mix(h, mem_read_some(f->target.mem, w[i].addr, now, sizeof now) == sizeof now && !memcmp(now, w[i].new, sizeof now));
	}
	free(w);
	return h;
}

/* Of the mappings of code, and of what was stored. Never 0. */
static uint64_t signature(const struct follow *f)
{
	const struct maps *m = &f->target.maps;
	uint64_t h = 1;

	for (size_t i = 0; i < m->n; i++)
		if (m->map[i].inode && m->map[i].exec) h = mix(h, m->map[i].start ^ m->map[i].inode << 20 ^ m->map[i].offset);
	return mix_words(h, f) | 1;
}

static void take_slots(struct follow *f)
{
	const struct attach_block *b = link_block(&f->link);

	f->write = xcalloc(f->got.n + 1, sizeof *f->write);
	for (size_t i = 0; i < f->got.n; i++) {
		const struct got_slot *s = &f->got.slot[i];
		struct attach_write *w = &f->write[f->nwrites];
		if (!b->entry[s->name].hook || s->kind == GOT_DATA) continue;   /* data that the program has set back is its own */
		*w = (struct attach_write){ .addr = s->addr, .size = 8, .entry = s->name, .kind = s->kind };
		memcpy(w->old, &s->value, 8);
		f->home.landed += (uint64_t)attach_aim(w, b, f->home_addr);
		f->nwrites++;
	}
}

/* The other table of modules, then the turn: the agent may be reading the one that is current. */
static int tell_modules(struct follow *f)
{
	uint64_t block = f->home.block;
	struct attach_block b;

	if (session_read(&f->s, block, &b, offsetof(struct attach_block, entry), f->e)) return -1;
	uint32_t turn = b.modules_turn + 1, n = (uint32_t)f->nmodules;
	if (session_write(&f->s, link_block(&f->link)->modules[turn & 1], f->module, n * sizeof *f->module, f->e)) return -1;
	if (session_write(&f->s, block + offsetof(struct attach_block, modules_count) + 4 * (turn & 1), &n, sizeof n, f->e)) return -1;
	if (session_write(&f->s, block + offsetof(struct attach_block, modules_lost), &f->lost, sizeof f->lost, f->e)) return -1;
	return session_write(&f->s, block + offsetof(struct attach_block, modules_turn), &turn, sizeof turn, f->e);
}

/* Log, then count, then words: as in apply.c. A word that has changed since it was looked at is left for the next time. */
static int store(struct follow *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nwrites; i++) {
		uint64_t now;
		if (f->home.log_entries + n == f->home.log_max) break;
		if (session_read(&f->s, f->write[i].addr, &now, sizeof now, f->e)) return -1;
		if (!memcmp(&now, f->write[i].old, sizeof now)) f->write[n++] = f->write[i];
	}
	f->nwrites = n;
	if (session_write(&f->s, f->home.log + f->home.log_entries * sizeof *f->write, f->write, n * sizeof *f->write, f->e)) return -1;
	f->home.log_entries += n;
	f->s.home = f->home;
	f->s.home_addr = f->home_addr;
	if (session_write_home(&f->s, f->e)) return -1;
	for (size_t i = 0; i < n; i++)
		if (session_write(&f->s, f->write[i].addr, f->write[i].new, f->write[i].size, f->e)) return -1;
	return 0;
}

static void work(void *arg)
{
	struct follow *f = arg;
	struct home h;

	f->status = session_open(&f->s, f->pid, &f->target, NULL, 0, FOLLOW_TRY, f->e);
	if (!f->status && (session_read(&f->s, f->home_addr, &h, sizeof h, f->e) || h.state != HOME_ATTACHED || h.log_entries != f->home.log_entries))
		f->status = err_set(f->e, ERR_FAIL, "pid %d: somebody else attaches or detaches just now", (int)f->pid);
	if (!f->status) f->status = tell_modules(f) || store(f) ? -1 : 0;
	session_close(&f->s);
}

/* The image that is there must be the one that we have, and be where the home says. */
static int is_known(const struct follow *f)
{
	struct attach_block b;
	uint64_t end = f->home.area + f->home.area_size;

	if (f->home.version != HOME_VERSION || f->home.block != f->home.image + f->link.block || f->home.image_end != f->home.image + f->link.size) return 0;
	if (f->home.image < f->home.area || f->home.image_end > end || f->home.log < f->home.image_end || f->home.log_max > (1 << 24)) return 0;
	if (f->home.log_entries > f->home.log_max || f->home.log + f->home.log_max * sizeof *f->write > end) return 0;
	if (mem_read_some(f->target.mem, f->home.block, &b, sizeof b) < sizeof b || memcmp(b.magic, ATTACH_MAGIC, sizeof b.magic)) return 0;
	return b.version == ATTACH_VERSION && b.image == f->home.image;
}

static int look(struct follow *f, const struct attach_options *o)
{
	const char *names[ATTACH_ENTRIES_MAX];
	size_t n = 0;

	if (link_open(&f->link, o->image, f->e)) return -1;
	if (!is_known(f)) return err_set(f->e, ERR_UNSUPPORTED, "pid %d: another version of alloctop has attached to it: use that one", (int)f->pid);
	link_move(&f->link, f->home.image);
	const struct attach_block *b = link_block(&f->link);
	for (; n < ATTACH_ENTRIES_MAX && b->entry[n].name[0]; n++) names[n] = b->entry[n].name;
	loaded_read(&f->loaded, &f->target);
	got_find(&f->got, &f->target, &f->loaded, names, n);
	take_slots(f);
	f->module = describe_modules(&f->target, &f->loaded, &f->nmodules, &f->lost);
	f->module[f->nmodules++] = link_module(&f->link);
	return 0;
}

int attach_follow(pid_t pid, const struct attach_options *o, uint64_t *seen, size_t *stored, struct err *e)
{
	struct follow f = { .pid = pid, .status = -1, .e = e };

	*stored = 0;
	if (target_open_pid(&f.target, pid, e)) return -1;
	f.home_addr = home_find(&f.target.maps, f.target.mem, &f.home);
	uint64_t now = signature(&f), once = now ^ 1;
	/* what is new is looked at twice: it may have been mapped just now, and its words not filled in */
	int again = *seen == once;
	if (now == *seen) {
		target_close(&f.target);
		return 0;
	}
	if (!f.home_addr || f.home.state != HOME_ATTACHED) err_set(e, ERR_UNSUPPORTED, "pid %d: nothing is attached to it", (int)pid);
	else if (!look(&f, o)) {
		if (again && !f.nwrites) f.status = 0;
		else if (session_run(work, &f)) err_set(e, ERR_FAIL, "pid %d: no thread for attaching", (int)pid);
	}
	if (!f.status) *stored = f.nwrites, *seen = again && !f.nwrites ? now : once;
	free(f.write);
	free(f.module);
	got_free(&f.got);
	loaded_free(&f.loaded);
	link_close(&f.link);
	target_close(&f.target);
	return f.status;
}
