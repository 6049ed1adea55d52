/* pprof_read.c: a pprof file back into a profile. The file is hostile: what it inflates to and what it decodes to are bounded,
 * every id and index is looked up, nothing is taken on trust. Memory used stays within a few times DECODED_MAX. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "inspect/format/format.h"
#include "inspect/format/profile.pb-c.h"
#include "inspect/model/plain.h"
#include "inspect/model/profile.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

#define INFLATED_MAX ((size_t)1 << 30)
#define DECODED_MAX ((size_t)2 << 30)
enum {
	CHUNK = 64 << 10,
	RATIO_FREE = 16 << 20,          /* below this much output the ratio does not matter */
	RATIO_MAX = 256,                /* output to input; real profiles reach 20 */
	STACK_MAX = 1 << 16,
};

struct bytes { uint8_t *at; size_t n, size; };

static int bytes_room(struct bytes *b, size_t more)
{
	if (b->n + more > INFLATED_MAX + CHUNK) return -1;
	while (b->size < b->n + more) b->size = b->size ? b->size * 2 : 4 * CHUNK;
	b->at = xreallocarray(b->at, b->size, 1);
	return 0;
}

static int read_file(const char *path, struct bytes *b, struct err *e)
{
	FILE *in = fopen(path, "re");
	if (!in) return err_sys(e, errno, "reading the profile %s", path);
	size_t got;
	do {
		if (b->n > INFLATED_MAX || bytes_room(b, CHUNK)) {
			fclose(in);
			return err_set(e, ERR_FAIL, "reading the profile %s: it is larger than %zu MiB: not a heap profile", path, INFLATED_MAX >> 20);
		}
		got = fread(b->at + b->n, 1, CHUNK, in);
		b->n += got;
	} while (got);
	int sys = ferror(in) ? errno ? errno : EIO : 0;
	fclose(in);
	return sys ? err_sys(e, sys, "reading the profile %s", path) : 0;
}

/* NULL, or why not. */
static const char *inflate_all(const struct bytes *in, struct bytes *out)
{
	enum { GZIP = 16 };
	z_stream z = { .next_in = in->at, .avail_in = (uInt)in->n };
	if (inflateInit2(&z, 15 + GZIP) != Z_OK) return "zlib cannot start";
	int status = Z_OK;
	const char *why = NULL;
	while (!why && status != Z_STREAM_END) {
		if (bytes_room(out, CHUNK)) {
			why = "it inflates to more than 1 GiB: not a heap profile";
			break;
		}
		z.next_out = out->at + out->n;
		z.avail_out = CHUNK;
		status = inflate(&z, Z_NO_FLUSH);
		size_t got = CHUNK - z.avail_out;
		out->n += got;
		if (status == Z_BUF_ERROR || (status == Z_OK && !z.avail_in && !got)) why = "the file is cut short";
		else if (status != Z_OK && status != Z_STREAM_END) why = "its compressed bytes are damaged";
		else if (out->n > RATIO_FREE && out->n / RATIO_MAX > z.total_in) why = "it inflates far more than any profile does";
	}
	if (!why && z.avail_in) why = "there are more bytes behind its end";
	inflateEnd(&z);
	return why;
}

/* What protobuf-c may still take. Nothing is given back before the end, so a message cannot make it churn. */
static void *budget_alloc(void *arg, size_t n)
{
	size_t *left = arg;
	if (n > *left) return NULL;
	*left -= n;
	return malloc(n);
}

static void budget_free(void *arg, void *p)
{
	(void)arg;
	free(p);
}

/* Ids of a file, ascending, and what they became. */
struct ids { struct id { uint64_t id; uint32_t index; } *id; size_t n; };

struct reading {
	const Perftools__Profiles__Profile *m;
	struct profile *p;
	struct ids mappings, functions, locations;
	const char *why;                /* the first thing found wrong */
};

static int by_id(const void *x, const void *y)
{
	const struct id *a = x, *b = y;
	return a->id < b->id ? -1 : a->id > b->id;
}

static void ids_seal(struct reading *r, struct ids *s)
{
	if (s->n) qsort(s->id, s->n, sizeof *s->id, by_id);
	for (size_t i = 0; i < s->n; i++)
		if (!s->id[i].id || (i && s->id[i].id == s->id[i - 1].id)) r->why = "an id is 0 or given twice";
}

static uint32_t ids_find(struct reading *r, const struct ids *s, uint64_t id)
{
	struct id key = { .id = id };
	const struct id *found = s->n ? bsearch(&key, s->id, s->n, sizeof key, by_id) : NULL;
	if (!found) r->why = "it refers to an id that it does not define";
	return found ? found->index : 0;
}

static const char *string(struct reading *r, int64_t index)
{
	if (index >= 0 && (uint64_t)index < r->m->n_string_table) return r->m->string_table[index];
	r->why = "it refers to a string behind the end of its table";
	return "";
}

static const char *plain_string(struct reading *r, int64_t index)
{
	char *copy = plain_text(xstrdup(string(r, index)));
	const char *s = profile_string(r->p, copy);
	free(copy);
	return s;
}

static void get_mappings(struct reading *r)
{
	r->mappings.id = xcalloc(r->m->n_mapping, sizeof *r->mappings.id);
	for (size_t i = 0; i < r->m->n_mapping; i++) {
		const Perftools__Profiles__Mapping *m = r->m->mapping[i];
		uint32_t to = profile_mapping(r->p, m->memory_start, m->memory_limit, m->file_offset, string(r, m->filename),
		                              string(r, m->build_id));
		r->p->mapping[to].has_functions = m->has_functions;
		r->p->mapping[to].has_lines = m->has_line_numbers;
		r->p->mapping[to].has_inlines = m->has_inline_frames;
		r->mappings.id[r->mappings.n++] = (struct id){ m->id, to };
	}
	ids_seal(r, &r->mappings);
	if (r->p->nmappings > 1) {
		const char *path = r->p->mapping[1].path, *slash = strrchr(path, '/');
		r->p->program = profile_string(r->p, slash ? slash + 1 : path);
	}
}

static unsigned line_number(int64_t n)
{
	return n > 0 && n <= INT32_MAX ? (unsigned)n : 0;
}

static void get_functions(struct reading *r)
{
	r->functions.id = xcalloc(r->m->n_function, sizeof *r->functions.id);
	for (size_t i = 0; i < r->m->n_function; i++) {
		const Perftools__Profiles__Function *f = r->m->function[i];
		uint32_t to = profile_function(r->p, string(r, f->name), string(r, f->system_name), string(r, f->filename),
		                               line_number(f->start_line));
		r->functions.id[r->functions.n++] = (struct id){ f->id, to };
	}
	ids_seal(r, &r->functions);
}

static void get_locations(struct reading *r)
{
	r->locations.id = xcalloc(r->m->n_location, sizeof *r->locations.id);
	for (size_t i = 0; i < r->m->n_location; i++) {
		const Perftools__Profiles__Location *l = r->m->location[i];
		uint32_t mapping = l->mapping_id ? ids_find(r, &r->mappings, l->mapping_id) : 0;
		uint32_t to = profile_location_new(r->p, l->address, mapping);
		struct profile_line *line = xcalloc(l->n_line, sizeof *line);
		for (size_t k = 0; k < l->n_line; k++) {
			line[k].function = ids_find(r, &r->functions, l->line[k]->function_id);
			line[k].line = line_number(l->line[k]->line);
		}
		if (l->n_line) profile_lines(r->p, to, line, (uint32_t)l->n_line);
		free(line);
		r->locations.id[r->locations.n++] = (struct id){ l->id, to };
	}
	ids_seal(r, &r->locations);
}

static void get_sample(struct reading *r, const Perftools__Profiles__Sample *s)
{
	uint32_t *loc = xcalloc(s->n_location_id, sizeof *loc);
	struct profile_label *label = xcalloc(s->n_label, sizeof *label);
	double value[PROFILE_TYPES_MAX] = { 0 };
	for (size_t k = 0; k < s->n_location_id; k++) loc[k] = ids_find(r, &r->locations, s->location_id[k]);
	for (size_t k = 0; k < s->n_label; k++) {
		const Perftools__Profiles__Label *l = s->label[k];
		label[k].key = string(r, l->key);
		label[k].str = l->str ? string(r, l->str) : NULL;
		label[k].unit = string(r, l->num_unit);
		label[k].num = l->num;
	}
	for (unsigned t = 0; t < r->p->ntypes; t++) value[t] = (double)s->value[t];
	if (!r->why)
		profile_add(r->p, loc, (uint32_t)s->n_location_id, label, (uint32_t)s->n_label, value, NULL);
	free(loc);
	free(label);
}

static void get_samples(struct reading *r)
{
	for (size_t i = 0; i < r->m->n_sample && !r->why; i++) {
		const Perftools__Profiles__Sample *s = r->m->sample[i];
		if (s->n_value != r->p->ntypes) r->why = "a sample has more or fewer values than there are types";
		else if (s->n_location_id > STACK_MAX || s->n_label > STACK_MAX) r->why = "a stack is deeper than 65536 frames";
		else get_sample(r, s);
	}
}

static void get_head(struct reading *r)
{
	const Perftools__Profiles__Profile *m = r->m;
	struct profile *p = r->p;
	if (!m->n_string_table || *m->string_table[0]) r->why = "its string table does not begin with the empty string";
	else if (!m->n_sample_type || m->n_sample_type > PROFILE_TYPES_MAX) r->why = "it has no sample type, or more than 6";
	if (r->why) return;
	p->ntypes = (unsigned)m->n_sample_type;
	p->default_type = p->ntypes - 1;
	for (unsigned t = 0; t < p->ntypes; t++) {
		/* formats use a type's name as a key: it has to be text */
		p->type[t].name = plain_string(r, m->sample_type[t]->type);
		p->type[t].unit = plain_string(r, m->sample_type[t]->unit);
		if (m->default_sample_type && m->sample_type[t]->type == m->default_sample_type) p->default_type = t;
	}
	if (m->period_type) {
		p->period_type.name = profile_string(p, string(r, m->period_type->type));
		p->period_type.unit = profile_string(p, string(r, m->period_type->unit));
	}
	p->period = m->period;
	p->time_ns = m->time_nanos > 0 ? (uint64_t)m->time_nanos : 0;
	p->duration_ns = m->duration_nanos > 0 ? m->duration_nanos : 0;
	for (size_t i = 0; i < m->n_comment; i++) profile_comment(p, "%s", string(r, m->comment[i]));
}

/* NULL, or why not. */
static const char *convert(const Perftools__Profiles__Profile *m, struct profile *p)
{
	struct reading r = { .m = m, .p = p };
	get_head(&r);
	if (!r.why) get_mappings(&r);
	if (!r.why) get_functions(&r);
	if (!r.why) get_locations(&r);
	if (!r.why) get_samples(&r);
	free(r.mappings.id);
	free(r.functions.id);
	free(r.locations.id);
	return r.why;
}

static const char *decode(const struct bytes *b, struct profile **out)
{
	size_t left = DECODED_MAX;
	ProtobufCAllocator budget = { budget_alloc, budget_free, &left };
	Perftools__Profiles__Profile *m = perftools__profiles__profile__unpack(&budget, b->n, b->at);
	if (!m) return "it is not a profile in pprof's format, or damaged";
	struct profile *p = profile_new();
	const char *why = convert(m, p);
	perftools__profiles__profile__free_unpacked(m, &budget);
	if (why) profile_free(p);
	else *out = p;
	return why;
}

int pprof_read(const char *path, struct profile **out, struct err *e)
{
	struct bytes file = { 0 }, plain = { 0 };
	int status = read_file(path, &file, e);
	if (!status) {
		int packed = file.n >= 2 && file.at[0] == 0x1f && file.at[1] == 0x8b;
		const char *why = packed ? inflate_all(&file, &plain) : NULL;
		if (!why) why = decode(packed ? &plain : &file, out);
		if (why) status = err_set(e, ERR_FAIL, "reading the profile %s: %s: give a file that alloctop dump or pprof wrote", path, why);
	}
	free(file.at);
	free(plain.at);
	return status;
}
