/* profile.c: makes a profile: interns its mappings, functions, locations and samples. See profile.h. */
#include "inspect/model/profile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/profile_store.h"
#include "inspect/target/xalloc.h"

/* Room for one more than n: arrays double whenever n is a power of two. */
static void *room(void *array, size_t n, size_t size)
{
	return n & (n - 1) ? array : xreallocarray(array, n ? n * 2 : 1, size);
}

struct profile *profile_new(void)
{
	struct profile *p = xcalloc(1, sizeof *p);
	p->store = profile_store_new();
	p->program = profile_empty;
	p->period_type = (struct profile_type){ profile_empty, profile_empty };
	p->mapping = room(NULL, 0, sizeof *p->mapping);
	p->mapping[p->nmappings++] = (struct profile_mapping){ .path = profile_empty, .build_id = profile_empty };
	p->function = room(NULL, 0, sizeof *p->function);
	p->function[p->nfunctions++] = (struct profile_function){ profile_empty, profile_empty, profile_empty, 0 };
	p->location = room(NULL, 0, sizeof *p->location);
	p->location[p->nlocations++] = (struct profile_location){ 0 };
	return p;
}

void profile_free(struct profile *p)
{
	if (!p) return;
	profile_store_free(p->store);
	free(p->comment);
	free(p->mapping);
	free(p->function);
	free(p->location);
	free(p->sample);
	free(p);
}

const char *profile_string(struct profile *p, const char *s)
{
	return profile_store_string(p->store, s ? s : "");
}

void profile_comment(struct profile *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	p->comment = room(p->comment, p->ncomments, sizeof *p->comment);
	p->comment[p->ncomments++] = profile_string(p, text);
}

static int same_mapping(const void *ctx, uint32_t value, const void *key)
{
	const struct profile_mapping *a = &((const struct profile *)ctx)->mapping[value], *b = key;
	return a->start == b->start && a->end == b->end && a->offset == b->offset && a->path == b->path && a->build_id == b->build_id;
}

uint32_t profile_mapping(struct profile *p, uint64_t start, uint64_t end, uint64_t offset, const char *path, const char *build_id)
{
	struct profile_mapping m = { .start = start, .end = end, .offset = offset };
	m.path = profile_string(p, path);
	m.build_id = profile_string(p, build_id);
	uint64_t parts[] = { start, end, offset, (uintptr_t)m.path, (uintptr_t)m.build_id };
	uint32_t *v = profile_table_find(&p->store->mappings, profile_hash(1, parts, sizeof parts), same_mapping, p, &m);
	if (!*v) {
		p->mapping = room(p->mapping, p->nmappings, sizeof m);
		p->mapping[p->nmappings] = m;
		*v = (uint32_t)p->nmappings++;
	}
	return *v;
}

static int same_function(const void *ctx, uint32_t value, const void *key)
{
	const struct profile_function *a = &((const struct profile *)ctx)->function[value], *b = key;
	return a->name == b->name && a->linkage == b->linkage && a->file == b->file && a->start_line == b->start_line;
}

uint32_t profile_function(struct profile *p, const char *name, const char *linkage, const char *file, unsigned start_line)
{
	struct profile_function f = { .start_line = start_line };
	f.name = profile_string(p, name);
	f.linkage = profile_string(p, linkage);
	f.file = profile_string(p, file);
	uint64_t parts[] = { (uintptr_t)f.name, (uintptr_t)f.linkage, (uintptr_t)f.file, start_line };
	uint32_t *v = profile_table_find(&p->store->functions, profile_hash(2, parts, sizeof parts), same_function, p, &f);
	if (!*v) {
		p->function = room(p->function, p->nfunctions, sizeof f);
		p->function[p->nfunctions] = f;
		*v = (uint32_t)p->nfunctions++;
	}
	return *v;
}

uint32_t profile_location_new(struct profile *p, uint64_t addr, uint32_t mapping)
{
	p->location = room(p->location, p->nlocations, sizeof *p->location);
	p->location[p->nlocations] = (struct profile_location){ .addr = addr, .mapping = mapping };
	return (uint32_t)p->nlocations++;
}

static int same_location(const void *ctx, uint32_t value, const void *key)
{
	const struct profile_location *a = &((const struct profile *)ctx)->location[value], *b = key;
	return a->addr == b->addr && a->mapping == b->mapping;
}

uint32_t profile_location(struct profile *p, uint64_t addr, uint32_t mapping)
{
	struct profile_location l = { .addr = addr, .mapping = mapping };
	uint64_t parts[] = { addr, mapping };
	uint32_t *v = profile_table_find(&p->store->locations, profile_hash(3, parts, sizeof parts), same_location, p, &l);
	if (!*v) *v = profile_location_new(p, addr, mapping);
	return *v;
}

void profile_lines(struct profile *p, uint32_t location, const struct profile_line *line, uint32_t n)
{
	struct profile_location *l = &p->location[location];
	l->line = profile_keep(p->store, line, n * sizeof *line);
	l->nlines = n;
}

static int same_sample(const void *ctx, uint32_t value, const void *key)
{
	const struct profile_sample *a = &((const struct profile *)ctx)->sample[value - 1], *b = key;
	if (a->nlocs != b->nlocs || a->nlabels != b->nlabels) return 0;
	if (a->nlocs && memcmp(a->loc, b->loc, a->nlocs * sizeof *a->loc)) return 0;
	for (uint32_t i = 0; i < a->nlabels; i++) {
		const struct profile_label *x = &a->label[i], *y = &b->label[i];
		if (x->key != y->key || x->str != y->str || x->unit != y->unit || x->num != y->num) return 0;
	}
	return 1;
}

static uint64_t hash_sample(const struct profile_sample *s)
{
	uint64_t h = profile_hash(4, s->loc, s->nlocs * sizeof *s->loc);
	for (uint32_t i = 0; i < s->nlabels; i++) {
		const struct profile_label *l = &s->label[i];
		uint64_t parts[] = { (uintptr_t)l->key, (uintptr_t)l->str, (uintptr_t)l->unit, (uint64_t)l->num };
		h = profile_hash(h, parts, sizeof parts);
	}
	return h;
}

struct profile_sample *profile_add(struct profile *p, const uint32_t *loc, uint32_t nlocs,
                                   const struct profile_label *label, uint32_t nlabels, const double *value, const double *variance)
{
	struct profile_sample key = { .nlocs = nlocs, .nlabels = nlabels, .loc = (uint32_t *)loc };
	key.label = nlabels ? xcalloc(nlabels, sizeof *label) : NULL;
	for (uint32_t i = 0; i < nlabels; i++) {
		key.label[i].key = profile_string(p, label[i].key);
		key.label[i].str = label[i].str ? profile_string(p, label[i].str) : NULL;
		key.label[i].unit = profile_string(p, label[i].unit);
		key.label[i].num = label[i].num;
	}
	uint32_t *v = profile_table_find(&p->store->samples, hash_sample(&key), same_sample, p, &key);
	if (!*v) {
		p->sample = room(p->sample, p->nsamples, sizeof key);
		struct profile_sample *s = &p->sample[p->nsamples++];
		*s = key;
		s->loc = profile_keep(p->store, loc, nlocs * sizeof *loc);
		s->label = profile_keep(p->store, key.label, nlabels * sizeof *label);
		*v = (uint32_t)p->nsamples;
	}
	free(key.label);
	struct profile_sample *s = &p->sample[*v - 1];
	for (unsigned t = 0; t < p->ntypes; t++) {
		s->value[t] += value[t];
		if (variance) s->variance[t] += variance[t];
	}
	return s;
}
