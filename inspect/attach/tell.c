/* tell.c: see tell.h. */
#include "inspect/attach/tell.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "inspect/attach/attach.h"
#include "inspect/model/plain.h"
#include "inspect/model/units.h"

struct teller { const struct attach_plan *p; tell_line *line; void *arg; };

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void say(const struct teller *t, const char *name, const char *text)
{
	char line[ATTACH_WORDS + 16];

	snprintf(line, sizeof line, "%s", text);
	plain_text(line);
	t->line(t->arg, name, line);
}

/* How each function was found. */
static void tell_jumps(const struct teller *t, int more)
{
	const struct attach_plan *p = t->p;
	char text[ATTACH_WORDS - 64];

	for (int way = FUNCTION_EXPORTED; way <= FUNCTION_CODE; way++) {
		size_t n = 0, at = 0;
		text[0] = 0;
		for (size_t i = 0; i < p->jumps.n; i++) {
			const struct function *f = &p->jumps.jump[i].function;
			if ((int)f->way != way) continue;
			if (at < sizeof text) at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", n++ ? " " : "", f->name);
		}
		if (!n) continue;
		char line[ATTACH_WORDS];
		snprintf(line, sizeof line, "%zu by a jump at their entry, %s: %s", n, way == FUNCTION_CODE ? "told by their code" : way == FUNCTION_SYMBOL ? "found by symbol" :
		         "exported", text);
		say(t, more ? "" : "functions", line);
		more = 1;
	}
}

/* How many functions have words that change, and how many objects these are in. Writes are in the order of their addresses. */
static unsigned count_words(const struct attach_plan *p, unsigned *objects)
{
	uint8_t seen[ATTACH_ENTRIES_MAX] = { 0 };
	const struct loaded *last = NULL;
	unsigned functions = 0;

	*objects = 0;
	for (size_t i = 0; i < p->nwrites; i++) {
		const struct attach_write *w = &p->write[i];
		const struct loaded *o = loaded_find(&p->loaded, w->addr);
		if (w->kind == ATTACH_JUMP) continue;
		functions += !seen[w->entry]++;
		*objects += o != last;
		last = o;
	}
	return functions;
}

/* Which share of the callers is seen. What is called within an allocator's own object is in "not seen", as nobody counts it. */
static void tell_covered(const struct teller *t)
{
	const struct attach_plan *p = t->p;
	size_t words = p->nwrites - p->jumps.n, others = 0;
	char text[ATTACH_WORDS];
	int n = 0;

	for (size_t i = 0; i < p->got.nnames; i++)
		if (!jumps_has(&p->jumps, i)) others += p->got.name[i].elsewhere;
	if (words + others) n = snprintf(text, sizeof text, "%zu of %zu words by which loaded objects call them", words, words + others);
	if (p->jumps.n + p->jumps.refused)
		snprintf(text + n, sizeof text - (size_t)n, "%severy call of %zu of %zu functions that are called directly", n ? "; " : "", p->jumps.n,
		         p->jumps.n + p->jumps.refused);
	if (p->nwrites) say(t, "covered", text);
}

static void tell_functions(const struct teller *t)
{
	const struct attach_plan *p = t->p;
	unsigned objects, functions = count_words(p, &objects);
	char text[ATTACH_WORDS];
	const struct got_name *m = &p->got.name[0];
	const struct jump *j = p->jumps.n ? &p->jumps.jump[0] : NULL;
	snprintf(text, sizeof text, "%s", j && jumps_has(&p->jumps, 0) ? j->function.object->path : m->owner ? m->owner->path : "none found");
	say(t, "malloc of", text);
	if (functions || !p->jumps.n) {
		snprintf(text, sizeof text, "%u, by name, through the GOT of %u loaded objects", functions, objects);
		say(t, "functions", text);
	}
	if (p->jumps.n) tell_jumps(t, functions > 0);
	tell_covered(t);
}

static void tell_jump_change(const struct teller *t, const char *name, const struct attach_write *w)
{
	const struct attach_plan *p = t->p;
	const struct loaded *o = loaded_find(&p->loaded, w->addr);
	char text[ATTACH_WORDS], bytes[2][2 * ATTACH_WRITE_MAX + 1] = { "", "" };

	for (uint32_t i = 0; i < w->size && i < ATTACH_WRITE_MAX; i++) {
		snprintf(bytes[0] + 2 * i, 3, "%02x", w->old[i]);
		snprintf(bytes[1] + 2 * i, 3, "%02x", w->new[i]);
	}
	snprintf(text, sizeof text, "%012" PRIx64 "  %s -> %s   (%s, a jump at the entry of %s)", w->addr, bytes[0], bytes[1], o ? base(o->path) : "?",
	         attach_entry_name(p, w->entry));
	say(t, name, text);
}

static void tell_change(const struct teller *t, const char *name, const struct attach_write *w)
{
	const struct attach_plan *p = t->p;
	const struct loaded *o = loaded_find(&p->loaded, w->addr), *from;
	uint64_t old;
	char text[ATTACH_WORDS];

	if (w->kind == ATTACH_JUMP) {
		tell_jump_change(t, name, w);
		return;
	}
	memcpy(&old, w->old, sizeof old);
	from = loaded_find(&p->loaded, old);
	snprintf(text, sizeof text, "%012" PRIx64 "  %016" PRIx64 " -> %s of the image   (%s, was %s+0x%" PRIx64 "%s)", w->addr, old,
	         attach_entry_name(p, w->entry), o ? base(o->path) : "?", from ? base(from->path) : "?", from ? old - from->bias : old,
	         from == o && old != p->got.name[w->entry].real ? ", not bound yet" : "");
	say(t, name, text);
}

void tell_plan(const struct attach_plan *p, int changes, tell_line *line, void *arg)
{
	const struct teller teller = { p, line, arg }, *t = &teller;
	char a[UNITS_MAX], b[UNITS_MAX], text[ATTACH_WORDS + 16];
	static const char *const verdicts[] = { "safe", "unsafe", "refused" };

	if (p->target.proc.inner_pid == p->pid) snprintf(text, sizeof text, "%d (%s)", (int)p->pid, p->target.proc.comm);
	else snprintf(text, sizeof text, "%d (%d inside; %s)", (int)p->pid, (int)p->target.proc.inner_pid, p->target.proc.comm);
	say(t, "process", text);
	snprintf(text, sizeof text, "%s%s%s", verdicts[p->verdict], p->verdict == ATTACH_SAFE ? "" : ": ", p->why);
	say(t, "verdict", text);
	tell_functions(t);
	snprintf(text, sizeof text, "%zu words of 8 bytes, %zu of them not bound yet; %zu jumps of %d bytes", p->nwrites - p->jumps.n, p->writes_lazy, p->jumps.n, ENTRY_JUMP);
	say(t, "stores", text);
	snprintf(text, sizeof text, "%s at once; %s of addresses, of which what is used becomes resident", units_bytes((double)p->added, a),
	         units_bytes((double)p->reserved, b));
	say(t, "memory", text);
	if (p->locked) {
		snprintf(text, sizeof text, "%s of its own are locked; if it also locks what it maps from now on, the tables are small, and all %s resident",
		         units_bytes((double)p->locked, a), units_bytes((double)p->small, b));
		say(t, "", text);
	}
	snprintf(text, sizeof text, "about %.1f ms for %zu threads", p->pause_s * 1e3, p->target.nthreads);
	say(t, "pause", text);
	/* who may not write its memory has no plan */
	snprintf(text, sizeof text, "given%s%s", *p->spaces ? "; it is in namespaces of its own: " : "", p->spaces);
	say(t, "permission", text);
	say(t, "seccomp", p->seccomp == 0 ? "none" : p->verdict == ATTACH_REFUSED ? "a filter" : "a filter, which lets the needed system calls pass");
	for (size_t i = 0; i < p->nnotes; i++) say(t, i ? "" : "not seen", p->note[i]);
	for (size_t i = 0; changes && i < p->nwrites; i++) tell_change(t, i ? "" : "changes", &p->write[i]);
}

