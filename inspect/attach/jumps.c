/* jumps.c: see jumps.h. */
#include "inspect/attach/jumps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/attach.h"
#include "inspect/attach/loaded.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { PAGE = 4096 };

/* No allocator's own: libc's in a static program, and in another one perhaps something else of that name. */
static int is_plain_libc(const char *name)
{
	return !strcmp(name, "prctl") || !strcmp(name, "syscall") || !strcmp(name, "strdup") || !strcmp(name, "strndup");
}

/* What only passes on to another one is seen there. */
static int is_wanted(const struct function *f)
{
	if (f->object->dynamic && is_plain_libc(f->name)) return 0;
	return (f->object->is_main || f->way != FUNCTION_EXPORTED) && f->nature != ATTACH_OUTER;
}

static size_t place_of(const char *name, const char *const *names, size_t n)
{
	size_t i = 0;

	while (i < n && names[i] != name) i++;
	return i;
}

static void refuse(struct jumps *j, const char *why)
{
	if (!j->refused++) snprintf(j->trouble, sizeof j->trouble, "%s", why);
}

static void plan_one(struct jumps *j, const struct target *t, const struct function *f, size_t name, uint64_t hook)
{
	struct jump *one = &j->jump[j->n];
	struct err e;
	char why[sizeof j->trouble];

	*one = (struct jump){ .function = *f, .name = name };
	if (!entry_plan_target(&one->plan, t->mem, f->address, f->size, j->room + j->room_size + hook, j->room + j->n * ENTRY_CODE_MAX, &e)) {
		j->n++;
		return;
	}
	snprintf(why, sizeof why, "%s: %.200s", f->name, e.text);
	refuse(j, why);
}

void jumps_plan(struct jumps *j, const struct target *t, const struct loadeds *l, const char *const *names, const uint64_t *hook, size_t n, uint64_t before, uint64_t behind)
{
	struct functions f;
	uint64_t lo = UINT64_MAX, hi = 0;
	size_t wanted = 0;

	*j = (struct jumps){ 0 };
	functions_find(&f, t, l, names, n);
	snprintf(j->trouble, sizeof j->trouble, "%s", f.trouble);
	for (size_t i = 0; i < f.n; i++) {
		const struct loaded *o = f.function[i].object;
		if (!is_wanted(&f.function[i])) continue;
		wanted++;
		if (o->start < lo) lo = o->start;       /* the code, and the data that it refers to */
		if (o->end > hi) hi = o->end;
	}
	uint64_t size = (wanted * ENTRY_CODE_MAX + PAGE - 1) / PAGE * PAGE;
	uint64_t whole = wanted ? entry_room(&t->maps, lo, hi, before + size + behind) : 0;
	if (whole) j->room = whole + before;
	if (wanted && !j->room) refuse(j, "there is no room for trampolines near its code");
	if (j->room) {
		j->room_size = size;
		j->jump = xcalloc(wanted, sizeof *j->jump);
		for (size_t i = 0; i < f.n; i++) {
			size_t name = place_of(f.function[i].name, names, n);
			if (is_wanted(&f.function[i])) plan_one(j, t, &f.function[i], name, hook[name]);
		}
	}
	if (!j->n) j->room = j->room_size = 0;
	functions_free(&f);
}

void jumps_free(struct jumps *j)
{
	free(j->jump);
	*j = (struct jumps){ 0 };
}

int jumps_has(const struct jumps *j, size_t name)
{
	for (size_t i = 0; i < j->n; i++)
		if (j->jump[i].name == name) return 1;
	return 0;
}

int jumps_code(const struct jumps *j, const uint64_t *hook, uint8_t *out)
{
	memset(out, 0xcc, j->room_size);
	for (size_t i = 0; i < j->n; i++) {
		const struct entry_plan *p = &j->jump[i].plan;
		if (p->hook != hook[j->jump[i].name]) return -1;
		memcpy(out + (p->trampoline - j->room), p->code, p->code_size);
	}
	return 0;
}
