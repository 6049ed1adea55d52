/* profile_symbolise.c: gives the locations of a profile their names. */
#include "inspect/model/profile.h"
#include "inspect/symbol/symbol.h"

enum { INLINED_MAX = 64 };

static void symbolise_location(struct profile *p, uint32_t index, struct symbolizer *s)
{
	struct symbol_frame frame[INLINED_MAX];
	struct profile_line line[INLINED_MAX];
	uint32_t n = 0;
	size_t found = symbol_lookup(s, p->location[index].addr, frame, INLINED_MAX);
	if (found > INLINED_MAX) found = INLINED_MAX;
	struct profile_mapping *m = &p->mapping[p->location[index].mapping];
	for (size_t i = 0; i < found; i++) {
		const struct symbol_frame *f = &frame[i];
		if (!*f->function) continue;
		line[n].function = profile_function(p, f->function, f->linkage, f->file, f->start_line);
		line[n++].line = f->line;
		m->has_functions = 1;
		if (f->line) m->has_lines = 1;
	}
	if (!n) return;
	if (n > 1) m->has_inlines = 1;
	profile_lines(p, index, line, n);
}

void profile_symbolise(struct profile *p, struct symbolizer *s)
{
	for (uint32_t i = 1; i < p->nlocations; i++)
		if (!p->location[i].nlines) symbolise_location(p, i, s);
}
