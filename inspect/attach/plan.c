/* plan.c: attach_plan: looks at everything that attaching would need and change, and says whether it may. See attach.h. */
#include "inspect/attach/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/wire.h"
#include "inspect/attach/filter.h"
#include "inspect/attach/litter.h"
#include "inspect/attach/locked.h"
#include "inspect/attach/remote.h"
#include "inspect/attach/seize.h"
#include "inspect/model/units.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

_Static_assert((int)GOT_NAMES == (int)ATTACH_ENTRIES_MAX && (int)HOME_TARGETS == (int)ATTACH_ENTRIES_MAX, "one for each entry");
_Static_assert(sizeof(struct attach_write) == 48, "the undo log");

enum { AREA_MAX = 256 << 20 /* more than what apply.c lays out behind the trampolines */ };

/* What a stop takes, from measurements: it, each thread, each store, the image. */
static const double stop_s = 0.3e-3, thread_s = 15e-6, store_s = 0.5e-6, image_s = 0.7e-3;

__attribute__((format(printf, 2, 3))) static void note(struct attach_plan *p, const char *fmt, ...)
{
	va_list ap;

	if (p->nnotes == ATTACH_NOTES) return;
	va_start(ap, fmt);
	vsnprintf(p->note[p->nnotes++], ATTACH_WORDS, fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 3, 4))) static void refuse(struct attach_plan *p, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (p->verdict == ATTACH_REFUSED) return;       /* the first reason is the one to look at */
	p->verdict = ATTACH_REFUSED;
	p->refusal = kind;
	va_start(ap, fmt);
	vsnprintf(p->why, sizeof p->why, fmt, ap);
	va_end(ap);
}

/* ---- what the kernel says --------------------------------------------------------------------------------------------------------------- */

/* The rest of a line of /proc/PID/status; "" when there is none. */
static void status_line(pid_t pid, const char *name, char *out, size_t n)
{
	char path[64], line[512];
	size_t len = strlen(name);

	*out = 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		if (strncmp(line, name, len) || line[len] != ':') continue;
		char *v = line + len + 1 + strspn(line + len + 1, " \t");
		v[strcspn(v, "\n")] = 0;
		snprintf(out, n, "%s", v);
		break;
	}
	if (f) fclose(f);
}

/* Is the mapping that holds addr sealed: never to be changed (mseal)? */
static int is_sealed(pid_t pid, const struct attach_plan *p)
{
	char path[64], line[512];
	unsigned long start = 0, end = 0;
	int wanted = 0, sealed = 0;

	snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && !sealed && fgets(line, sizeof line, f)) {
		unsigned long a, b;
		if (sscanf(line, "%lx-%lx ", &a, &b) == 2) {
			start = a, end = b;
			wanted = 0;
			for (size_t i = 0; i < p->nwrites && !wanted; i++) wanted = p->write[i].addr >= start && p->write[i].addr < end;
		} else if (wanted && !strncmp(line, "VmFlags:", 8)) {
			sealed = strstr(line, " sl") != NULL;
		}
	}
	if (f) fclose(f);
	return sealed;
}

static void ask_spaces(struct attach_plan *p)
{
	static const char *const kinds[] = { "user", "pid", "mnt" };

	for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char path[64], ours[64] = "", theirs[64] = "";
		size_t n = strlen(p->spaces);
		snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
		if (readlink(path, ours, sizeof ours - 1) < 0) continue;
		snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)p->pid, kinds[i]);
		if (readlink(path, theirs, sizeof theirs - 1) < 0 || !strcmp(ours, theirs)) continue;
		snprintf(p->spaces + n, sizeof p->spaces - n, "%s%s", n ? " " : "", kinds[i]);
	}
}

static void ask_kernel(struct attach_plan *p)
{
	char tracer[16], text[128], why[ATTACH_WORDS] = "";
	pid_t by = seize_tracer(p->pid, tracer);

	if (p->pid == getpid()) refuse(p, ERR_UNSUPPORTED, "that is alloctop itself");
	if (by) refuse(p, ERR_DENIED, "it is being traced by %s (pid %d): end that first", tracer, (int)by);
	status_line(p->pid, "x86_Thread_features", text, sizeof text);
	if (strstr(text, "shstk")) refuse(p, ERR_UNSUPPORTED, "it has a shadow stack, which only knows calls of its own");
	status_line(p->pid, "Seccomp", text, sizeof text);
	p->seccomp = atoi(text);
	if (p->seccomp == 1) refuse(p, ERR_UNSUPPORTED, "seccomp lets it do nothing but read, write and exit");
	if (p->seccomp == 2 && p->verdict != ATTACH_REFUSED && filter_check(p->pid, why, sizeof why)) refuse(p, ERR_UNSUPPORTED, "%s", why);
}

/* ---- what is there already -------------------------------------------------------------------------------------------------------------- */

static void ask_agent(struct attach_plan *p)
{
	for (size_t i = 0; i < p->target.maps.n; i++) {
		const char *path = p->target.maps.map[i].path, *slash = strrchr(path, '/');
		if (strstr(slash ? slash : path, "liballoctop") || !strcmp(path, "/memfd:" WIRE_MEMFD_NAME))
			refuse(p, ERR_UNSUPPORTED, "it has the agent already (it was started with it)");
	}
	p->home_addr = home_find(&p->target.maps, p->target.mem, &p->home);
	if (!p->home_addr) return;
	if (p->home.version != HOME_VERSION)
		refuse(p, ERR_UNSUPPORTED, "another version of alloctop has attached to it: use that one");
	else if (p->home.state == HOME_ATTACHED)
		refuse(p, ERR_UNSUPPORTED, "it is attached to already (alloctop detach %d ends that)", (int)p->pid);
	else if (p->home.state != HOME_EMPTY)
		refuse(p, ERR_UNSUPPORTED, "something is left of an earlier attach (alloctop detach %d clears it away)", (int)p->pid);
}

/* ---- what would change ------------------------------------------------------------------------------------------------------------------ */

const char *attach_entry_name(const struct attach_plan *p, unsigned entry)
{
	return entry < ATTACH_ENTRIES_MAX ? link_block(&p->link)->entry[entry].name : "";
}

static size_t names_of(const struct attach_block *b, const char *names[ATTACH_ENTRIES_MAX])
{
	size_t n = 0;

	for (; n < ATTACH_ENTRIES_MAX && b->entry[n].name[0]; n++) names[n] = b->entry[n].name;
	return n;
}

static void take_slots(struct attach_plan *p)
{
	const struct attach_block *b = link_block(&p->link);

	p->write = xcalloc(p->got.n + p->jumps.n + 1, sizeof *p->write);
	for (size_t i = 0; i < p->got.n; i++) {
		const struct got_slot *s = &p->got.slot[i];
		if (!b->entry[s->name].hook || jumps_has(&p->jumps, s->name)) continue;
		struct attach_write *w = &p->write[p->nwrites++];
		*w = (struct attach_write){ .addr = s->addr, .size = 8, .entry = s->name, .kind = s->kind };
		memcpy(w->old, &s->value, 8);
		p->writes_lazy += s->lazy;
		p->writes_address += s->kind != GOT_CALL;
	}
}

static void take_jumps(struct attach_plan *p)
{
	for (size_t i = 0; i < p->jumps.n; i++) {
		const struct entry_plan *j = &p->jumps.jump[i].plan;
		struct attach_write *w = &p->write[p->nwrites++];
		*w = (struct attach_write){ .addr = j->address, .size = ENTRY_JUMP, .entry = (uint16_t)p->jumps.jump[i].name, .kind = ATTACH_JUMP };
		memcpy(w->old, j->old, ENTRY_JUMP);
		memcpy(w->new, j->new, ENTRY_JUMP);
	}
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = ((const struct attach_write *)a)->addr, y = ((const struct attach_write *)b)->addr;

	return x < y ? -1 : x > y;
}

static void weigh(struct attach_plan *p)
{
	p->added = p->link.stored + p->nwrites * sizeof *p->write + p->loaded.n * sizeof(struct attach_module) + 2 * HOME_PAGE + p->jumps.room_size;
	p->reserved = p->link.size + ATTACH_SEGMENT_SIZE(0) + ATTACH_PRIVATE_SIZE(0);
	p->locked = locked_bytes(p->pid);
	p->small = p->added + p->link.size + ATTACH_SEGMENT_SIZE(ATTACH_SCALES - 1) + ATTACH_PRIVATE_SIZE(ATTACH_SCALES - 1);
	p->pause_s = stop_s + image_s + (double)p->target.nthreads * thread_s + (double)p->nwrites * store_s;
}

/* It is known only when something is mapped, see apply.c. */
static void tell_limit(struct attach_plan *p)
{
	char limit[UNITS_MAX];
	uint64_t most = p->locked ? locked_limit(p->pid) : UINT64_MAX;

	if (most < p->locked + p->small)
		note(p, "anything, if it locks all that it maps from now on: it may lock %s in all (RLIMIT_MEMLOCK), and attaching would fail", units_bytes((double)most, limit));
}

/* Calls that do not go through a GOT entry. */
static void tell_uncovered(struct attach_plan *p)
{
	const struct attach_block *b = link_block(&p->link);

	for (size_t i = 0; i < p->got.nnames; i++) {
		const struct got_name *g = &p->got.name[i];
		if (g->elsewhere && p->home.state != HOME_ATTACHED)     /* where they lead to us */
			note(p, "%s: %u GOT entries lead to another function than %s's, and are left alone", b->entry[i].name, g->elsewhere,
			     g->owner ? g->owner->path : "the first");
	}
	const struct got_name *m = &p->got.name[0];     /* malloc */
	if (p->jumps.trouble[0]) note(p, "%s%s", p->jumps.trouble, p->jumps.refused > 1 ? ", and others" : "");
	if (m->owner && m->owner->is_main && !jumps_has(&p->jumps, 0)) note(p, "calls of malloc within the program itself, which defines it, are direct: not seen");
	if (p->got.unread) note(p, "%zu loaded objects have tables that make no sense: their calls are not seen", p->got.unread);
	if (p->jumps.n == p->nwrites) note(p, "blocks allocated before the attach");
	else note(p, "blocks allocated before the attach, calls within the allocator's own object, and function pointers copied before");
}

/* Where free only jumps to another function, that one is hooked. */
static int frees_by_implementation(const struct attach_plan *p)
{
	for (size_t i = 0; i < p->jumps.n; i++)
		if (!strcmp(p->jumps.jump[i].function.name, "__libc_free")) return 1;
	return 0;
}

static void decide(struct attach_plan *p)
{
	int has_malloc = p->got.name[0].owner || jumps_has(&p->jumps, 0);
	size_t hooked[ATTACH_ENTRIES_MAX] = { 0 };

	for (size_t i = 0; i < p->nwrites; i++) hooked[p->write[i].entry]++;
	if (!p->loaded.n || !p->loaded.object[0].is_main) refuse(p, ERR_UNSUPPORTED, "its program headers make no sense");
	else if (!p->loaded.object[0].dynamic && !p->nwrites) refuse(p, ERR_UNSUPPORTED, "it is statically linked: %s", p->jumps.trouble[0] ? p->jumps.trouble : "no malloc was found in it");
	else if (!has_malloc) refuse(p, ERR_UNSUPPORTED, "no malloc was found in it");
	else if (!hooked[0]) refuse(p, ERR_UNSUPPORTED, "no GOT entry leads to malloc: its calls are direct");
	if (!p->rooms) refuse(p, ERR_UNSUPPORTED, "there is no room for %zu bytes in its executable pages", remote_size());
	if (p->verdict != ATTACH_REFUSED && is_sealed(p->pid, p)) refuse(p, ERR_UNSUPPORTED, "memory that would have to change is sealed (mseal)");
	if (p->verdict != ATTACH_SAFE) return;
	if (!p->loaded.ordered && p->loaded.object[0].dynamic) {
		p->verdict = ATTACH_UNSAFE;
		snprintf(p->why, sizeof p->why, "its loader's list of objects cannot be read: which of several malloc it uses is a guess");
	} else if (!hooked[1] && !frees_by_implementation(p)) {
		p->verdict = ATTACH_UNSAFE;
		snprintf(p->why, sizeof p->why, "free cannot be hooked: what is allocated would seem to stay for ever");
	}
}

/* What stands against it may be what another alloctop is just doing to it: that is told by its home, which it makes first and changes last. */
static void look_again(struct attach_plan *p)
{
	struct maps now;
	struct home h = { 0 };
	struct err unimportant;
	char tracer[16];

	if (p->verdict != ATTACH_REFUSED) return;
	seize_tracer(p->pid, tracer);   /* waits for it a little */
	if (maps_now(&now, p->pid, MAPS_CODE, &p->target.maps, &unimportant)) return;
	uint64_t home = home_find(&now, p->target.mem, &h);
	maps_free(&now);
	if (home == p->home_addr && (!home || h.state == p->home.state)) return;
	p->verdict = ATTACH_SAFE;
	if (home && h.state == HOME_ATTACHED) refuse(p, ERR_UNSUPPORTED, "another alloctop has just attached to it (alloctop detach %d ends that)", (int)p->pid);
	else refuse(p, ERR_FAIL, "another alloctop attaches to it, or detaches from it, just now: try again");
}

int attach_plan(struct attach_plan *p, pid_t pid, const struct attach_options *o, struct err *e)
{
	const char *names[ATTACH_ENTRIES_MAX];
	uint64_t hook[ATTACH_ENTRIES_MAX];
	char path[64];
	size_t n;

	*p = (struct attach_plan){ .pid = pid, .options = *o };
	if (link_open(&p->link, o->image, e) || target_open_pid(&p->target, pid, e)) return -1;
	/* /proc shows its memory by another thread's number alone, and all that looks for an agent goes by the process's */
	if (p->target.pid != pid) return err_set(e, ERR_UNSUPPORTED, "pid %d: its first thread has ended before the others: such a process cannot be attached to", (int)pid);
	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) return err_sys(e, errno, "pid %d: writing its memory", (int)pid);
	close(fd);
	ask_agent(p);
	loaded_read(&p->loaded, &p->target);
	n = names_of(link_block(&p->link), names);
	got_find(&p->got, &p->target, &p->loaded, names, n);
	for (size_t i = 0; i < n; i++) {
		hook[i] = link_block(&p->link)->entry[i].hook;
		p->name[i] = hook[i] ? names[i] : "";
	}
	/* the image comes right behind the trampolines */
	jumps_plan(&p->jumps, &p->target, &p->loaded, p->name, hook, n, 3 * HOME_PAGE, AREA_MAX);
	p->rooms = remote_rooms(&p->target, &p->loaded, p->room, ATTACH_ROOMS);
	p->littered = litter_is(&p->target, p->room, p->rooms);
	take_slots(p);
	take_jumps(p);
	qsort(p->write, p->nwrites, sizeof *p->write, by_address);
	weigh(p);
	tell_uncovered(p);
	tell_limit(p);
	decide(p);
	ask_kernel(p);
	look_again(p);
	ask_spaces(p);
	return 0;
}

void attach_plan_free(struct attach_plan *p)
{
	free(p->write);
	got_free(&p->got);
	jumps_free(&p->jumps);
	loaded_free(&p->loaded);
	target_close(&p->target);
	link_close(&p->link);
}
