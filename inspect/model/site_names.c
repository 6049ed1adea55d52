/* site_names.c: see site_names.h. A call stack is named by its function of interest, the innermost one that is the program's own, and that
 * one's caller. */
#include "inspect/model/site_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/plain.h"
#include "inspect/symbol/plumbing.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/xalloc.h"

enum { INLINES_MAX = 16, NAMELESS_MAX = 3 };

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

struct names { char *function, *caller, *innermost; };

/* One frame outwards. Returns non-zero when both names are known. */
static int take(struct names *n, const char *name, int plumbing)
{
	if (!*name) return 0;
	if (!n->innermost) n->innermost = xstrdup(name);
	if (!n->function) {
		if (!plumbing) n->function = xstrdup(name);
		return 0;
	}
	/* recursion is no caller */
	if (strcmp(name, n->function)) n->caller = xstrdup(name);
	return n->caller != NULL;
}

static void take_address(char buf[128], const struct symbol_module *m, uint64_t addr)
{
	if (m) snprintf(buf, 128, "%.90s+0x%" PRIx64, base_name(m->path), addr - m->bias);
	else snprintf(buf, 128, "0x%" PRIx64, addr);
}

/* Is the function without a name at pc[i], perhaps with others, called by a wrapper of malloc? Then it is that one's inner part: sqlite3Malloc calls
   what a stripped library has no name for. That of a C library begins threads, and means nothing. */
static int in_wrapper(struct symbolizer *s, const uint64_t *pc, unsigned depth, unsigned i)
{
	struct symbol_frame frame[INLINES_MAX];

	for (unsigned k = i + 1; k < depth && k <= i + NAMELESS_MAX; k++) {
		const struct symbol_module *m = symbol_module_of(s, pc[k] - 1);
		if (m && plumbing_module(m->path)) return 0;
		if (symbol_lookup(s, pc[k] - 1, frame, INLINES_MAX) && *frame[0].function) return plumbing_function(frame[0].function);
	}
	return 0;
}

static struct site_name name_stack(struct symbolizer *s, const uint64_t *pc, unsigned depth)
{
	struct symbol_frame frame[INLINES_MAX];
	struct names names = { 0 };
	char address[128];
	int done = 0;

	for (unsigned i = 0; i < depth && !done; i++) {
		uint64_t addr = pc[i] - 1;
		const struct symbol_module *m = symbol_module_of(s, addr);
		int plumbing = m && plumbing_module(m->path);
		size_t n = symbol_lookup(s, addr, frame, INLINES_MAX);
		for (size_t k = 0; k < n && !done; k++)
			done = take(&names, frame[k].function, plumbing || plumbing_function(frame[k].function));
		if (n && frame[0].function[0]) continue;
		take_address(address, m, addr);
		if (!done) done = take(&names, address, plumbing || (!names.function && in_wrapper(s, pc, depth, i)));
	}
	struct site_name name = {
		.function = names.function ? names.function : names.innermost ? names.innermost : xstrdup("[stack not recorded]"),
		.caller = names.caller ? names.caller : xstrdup(""),
	};
	if (names.innermost != name.function) free(names.innermost);
	plain_text(name.function);
	plain_text(name.caller);
	return name;
}

/* Two tables that grow by doubling, at most half full: by the hash of a stack, by that of a name. */
struct slot { uint64_t hash; struct site_name *name; };
struct slots { struct slot *slot; size_t n, cap; };

struct site_names {
	struct symbolizer *symbols;
	struct slots stacks, names;
};

static struct slot *find(const struct slots *t, uint64_t hash)
{
	size_t i = hash & (t->cap - 1);

	while (t->slot[i].name && t->slot[i].hash != hash) i = (i + 1) & (t->cap - 1);
	return &t->slot[i];
}

static struct slot *insert(struct slots *t, uint64_t hash)
{
	if (2 * (t->n + 1) > t->cap) {
		struct slots larger = { .n = t->n, .cap = t->cap ? 2 * t->cap : 64 };
		larger.slot = xcalloc(larger.cap, sizeof *larger.slot);
		for (size_t i = 0; i < t->cap; i++)
			if (t->slot[i].name) *find(&larger, t->slot[i].hash) = t->slot[i];
		free(t->slot);
		*t = larger;
	}
	struct slot *s = find(t, hash);
	if (!s->name) s->hash = hash, t->n++;
	return s;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint64_t hash_text(uint64_t h, const char *s)
{
	while (*s) h = mix(h, (unsigned char)*s++);
	return mix(h, 256);
}

struct site_names *site_names_new(struct symbolizer *symbols)
{
	struct site_names *n = xcalloc(1, sizeof *n);

	n->symbols = symbols;
	return n;
}

void site_names_free(struct site_names *n)
{
	if (!n) return;
	for (size_t i = 0; i < n->names.cap; i++) {
		struct site_name *name = n->names.slot[i].name;
		if (!name) continue;
		free(name->function);
		free(name->caller);
		free(name);
	}
	free(n->names.slot);
	free(n->stacks.slot);
	free(n);
}

struct site_name *site_names_of(struct site_names *n, const uint64_t *pc, unsigned depth)
{
	uint64_t hash = depth;

	for (unsigned i = 0; i < depth; i++) hash = mix(hash, pc[i]);
	struct slot *stack = insert(&n->stacks, hash);
	if (stack->name) return stack->name;
	struct site_name name = name_stack(n->symbols, pc, depth);
	struct slot *known = insert(&n->names, hash_text(hash_text(1, name.function), name.caller));
	if (known->name) {
		free(name.function);
		free(name.caller);
	} else {
		known->name = xmalloc(sizeof name);
		*known->name = name;
	}
	return stack->name = known->name;
}
