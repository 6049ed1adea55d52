/* lines.c: a lazy index over libdw. See lines.h. Opening reads one entry per unit; a unit's functions are listed when an address
 * falls into it; the inlined calls of a function are searched top-down for each address, entering only what holds it.
 *
 * libdw checks the encoding. What it does not: that entries form a finite tree. A crafted file can make siblings point backwards
 * or share children, so offsets must grow, the depth is bounded, and all walking spends from one budget. */
#include "inspect/symbol/lines.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/symbol/names.h"
#include "inspect/symbol/span.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/xalloc.h"

enum { DEPTH_MAX = 64, INLINE_MAX = 128, UNITS_MAX = 1 << 22 };
static const uint64_t budget_max = 400 << 20;           /* entries looked at in the life of one index */

struct unit {
	Dwarf_Die die;
	Dwarf_Die *func;
	size_t nfuncs, cap;
	struct spans spans;             /* id: index in func */
	enum { UNREAD, OUTER, ALL } read;       /* OUTER: without functions inside functions and types */
};

struct lines {
	Dwarf *dw;
	struct unit *unit;
	size_t n;
	struct spans spans;             /* id: index in unit */
	uint64_t budget;
};

static int spend(struct lines *l)
{
	return l->budget ? (l->budget--, 1) : 0;
}

/* The next entry on the same level, only ever forwards. */
static int next_sibling(struct lines *l, Dwarf_Die *die)
{
	Dwarf_Die next;
	if (!spend(l) || dwarf_siblingof(die, &next) || dwarf_dieoffset(&next) <= dwarf_dieoffset(die)) return 0;
	*die = next;
	return 1;
}

static int first_child(struct lines *l, Dwarf_Die *die, Dwarf_Die *child)
{
	return spend(l) && dwarf_child(die, child) == 0;
}

static void add_ranges(struct lines *l, struct spans *s, Dwarf_Die *die, uint32_t id)
{
	Dwarf_Addr base, low, high;
	for (ptrdiff_t at = 0; (at = dwarf_ranges(die, at, &base, &low, &high)) > 0 && spend(l);) spans_add(s, low, high, id);
}

static void add_function(struct lines *l, struct unit *u, Dwarf_Die *die)
{
	size_t before = u->spans.n;
	add_ranges(l, &u->spans, die, (uint32_t)u->nfuncs);
	if (u->spans.n == before) return;               /* a declaration, or only ever inlined */
	if (u->nfuncs == u->cap) {
		u->cap = u->cap ? u->cap * 2 : 32;
		u->func = xreallocarray(u->func, u->cap, sizeof *u->func);
	}
	u->func[u->nfuncs++] = *die;
}

static void list_functions(struct lines *l, struct unit *u, Dwarf_Die *parent, int depth, int all)
{
	Dwarf_Die die;
	if (depth > DEPTH_MAX || !first_child(l, parent, &die)) return;
	do {
		int tag = dwarf_tag(&die);
		if (tag == DW_TAG_subprogram) add_function(l, u, &die);
		if (tag == DW_TAG_namespace || tag == DW_TAG_module || (all && dwarf_haschildren(&die) == 1))
			list_functions(l, u, &die, depth + 1, all);
	} while (next_sibling(l, &die));
}

static Dwarf_Die *function_at(struct lines *l, struct unit *u, uint64_t vaddr)
{
	for (;;) {
		const struct span *s = spans_find(&u->spans, vaddr, NULL);
		if (s) return &u->func[s->id];
		if (u->read == ALL) return NULL;
		/* not among the outer ones: nested functions and methods of local types hide deeper */
		spans_free(&u->spans);
		u->nfuncs = 0;
		u->read++;
		list_functions(l, u, &u->die, 0, u->read == ALL);
		spans_sort(&u->spans);
	}
}

struct lines *lines_open(Dwarf *dw)
{
	struct lines *l = xcalloc(1, sizeof *l);
	size_t cap = 0;
	l->dw = dw;
	l->budget = budget_max;
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;
	while (l->n < UNITS_MAX && spend(l) && dwarf_get_units(dw, cu, &cu, NULL, &type, &die, NULL) == 0) {
		if (type != DW_UT_compile && type != DW_UT_skeleton) continue;
		if (l->n == cap) {
			cap = cap ? cap * 2 : 64;
			l->unit = xreallocarray(l->unit, cap, sizeof *l->unit);
		}
		l->unit[l->n] = (struct unit){.die = die};
		add_ranges(l, &l->spans, &die, (uint32_t)l->n++);
	}
	spans_sort(&l->spans);
	return l;
}

void lines_close(struct lines *l)
{
	if (!l) return;
	for (size_t i = 0; i < l->n; i++) {
		free(l->unit[i].func);
		spans_free(&l->unit[i].spans);
	}
	free(l->unit);
	spans_free(&l->spans);
	free(l);
}

/* The call inlined into `outer` that holds vaddr, through any blocks. */
static int inlined_at(struct lines *l, Dwarf_Die *outer, uint64_t vaddr, Dwarf_Die *out)
{
	Dwarf_Die die;
	int depth = 0, more = first_child(l, outer, &die);
	while (more && depth < DEPTH_MAX) {
		int tag = dwarf_tag(&die);
		int block = tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
		if ((block || tag == DW_TAG_inlined_subroutine) && dwarf_haspc(&die, vaddr) == 1) {
			if (!block) { *out = die; return 1; }
			Dwarf_Die child;
			if (first_child(l, &die, &child)) {
				die = child;
				depth++;
				continue;
			}
		}
		more = next_sibling(l, &die);
	}
	return 0;
}

static unsigned number_of(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute a;
	Dwarf_Word v;
	return dwarf_attr(die, name, &a) && !dwarf_formudata(&a, &v) && v <= INT32_MAX ? (unsigned)v : 0;
}

static void name_frame(Dwarf_Die *die, struct symbol_frame *f)
{
	Dwarf_Attribute a;
	int line;
	f->linkage = dwarf_attr_integrate(die, DW_AT_linkage_name, &a) || dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &a)
	             ? dwarf_formstring(&a) : NULL;
	f->function = dwarf_diename(die);
	f->start_line = !dwarf_decl_line(die, &line) && line > 0 ? (unsigned)line : 0;
}

static const char *keep_path(struct unit *u, const char *path, struct names *names)
{
	Dwarf_Attribute a;
	const char *dir;
	if (!path || *path == '/' || !dwarf_attr(&u->die, DW_AT_comp_dir, &a) || !(dir = dwarf_formstring(&a)) || !*dir)
		return names_keep(names, path);
	char *whole = xasprintf("%s/%s", dir, path);
	const char *kept = names_keep(names, whole);
	free(whole);
	return kept;
}

static void position(struct unit *u, uint64_t vaddr, struct symbol_frame *f, struct names *names)
{
	int line;
	Dwarf_Line *row = dwarf_getsrc_die(&u->die, vaddr);
	f->file = keep_path(u, row ? dwarf_linesrc(row, NULL, NULL) : NULL, names);
	if (!row) return;
	f->line = !dwarf_lineno(row, &line) && line > 0 ? (unsigned)line : 0;
}

static void call_position(struct unit *u, Dwarf_Die *call, struct symbol_frame *f, struct names *names)
{
	Dwarf_Files *files;
	size_t n;
	unsigned file = number_of(call, DW_AT_call_file);
	f->line = number_of(call, DW_AT_call_line);
	int known = !dwarf_getsrcfiles(&u->die, &files, &n) && file < n;
	f->file = keep_path(u, known ? dwarf_filesrc(files, file, NULL, NULL) : NULL, names);
}

/* The chain from the function inwards gives the frames from the outside in: each stands where it calls the next. */
static size_t frames_of(struct lines *l, struct unit *u, Dwarf_Die *func, uint64_t vaddr, struct symbol_frame *out, size_t max,
                        struct names *names)
{
	Dwarf_Die chain[INLINE_MAX];
	size_t n = 1;
	chain[0] = *func;
	while (n < INLINE_MAX && inlined_at(l, &chain[n - 1], vaddr, &chain[n])) n++;
	size_t kept = n < max ? n : max;
	for (size_t i = 0; i < kept; i++) {
		size_t at = n - 1 - i;
		out[i] = (struct symbol_frame){.inlined = at > 0};
		name_frame(&chain[at], &out[i]);
		if (i == 0) position(u, vaddr, &out[i], names);
		else call_position(u, &chain[at + 1], &out[i], names);
	}
	return kept;
}

size_t lines_find(struct lines *l, uint64_t vaddr, struct symbol_frame *frames, size_t max, struct names *names)
{
	struct unit *lined = NULL;
	if (!max) return 0;
	int tries = 0;
	for (const struct span *s = NULL; tries++ < 16 && (s = spans_find(&l->spans, vaddr, s));) {
		struct unit *u = &l->unit[s->id];
		Dwarf_Die *func = function_at(l, u, vaddr);
		if (func) return frames_of(l, u, func, vaddr, frames, max, names);
		if (!lined) lined = u;
	}
	if (!lined) return 0;
	frames[0] = (struct symbol_frame){0};
	position(lined, vaddr, &frames[0], names);
	return *frames[0].file || frames[0].line;
}
