/* pprof.c: a gzip'ed profile.proto, as `go tool pprof` and its kin read it. Ids are the model's indices; what no sample uses is
 * left out, except mappings: the first must stay the program. Bytes depend on the profile alone (no time stamp in the gzip). */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "inspect/format/format.h"
#include "inspect/format/profile.pb-c.h"
#include "inspect/format/whole.h"
#include "inspect/model/plain.h"
#include "inspect/model/profile.h"
#include "inspect/model/profile_store.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

/* The message under construction. Everything in it lives in `store` and goes at once. */
struct making {
	const struct profile *p;
	struct profile_store *store;
	struct profile_table strings;   /* from a text to its index */
	const char **text; size_t ntext;        /* as they are in the profile, by index */
	uint8_t *location, *function;   /* non-zero: used */
	Perftools__Profiles__Profile m;
};

static int same_text(const void *ctx, uint32_t value, const void *key)
{
	return !strcmp(((const struct making *)ctx)->text[value], key);
}

static int64_t string(struct making *g, const char *text)
{
	if (!text || !*text) return 0;
	uint32_t *v = profile_table_find(&g->strings, profile_hash(7, text, strlen(text)), same_text, g, text);
	if (!*v) {
		if ((g->ntext & (g->ntext - 1)) == 0) g->text = xreallocarray(g->text, g->ntext * 2, sizeof *g->text);
		g->text[g->ntext] = text;
		*v = (uint32_t)g->ntext++;
	}
	return *v;
}

/* n messages of one kind, set up, and the array of pointers to them that protobuf-c wants. */
static void *messages(struct making *g, const ProtobufCMessageDescriptor *d, size_t n)
{
	char *block = profile_keep(g->store, NULL, n * d->sizeof_message);
	void **pointer = profile_keep(g->store, NULL, n * sizeof *pointer);
	for (size_t i = 0; i < n; i++) {
		pointer[i] = block + i * d->sizeof_message;
		protobuf_c_message_init(d, pointer[i]);
	}
	return pointer;
}

static void put_types(struct making *g, int wanted)
{
	const struct profile *p = g->p;
	Perftools__Profiles__ValueType **type = messages(g, &perftools__profiles__value_type__descriptor, PROFILE_TYPES_MAX + 1);
	for (unsigned i = 0; i < p->ntypes; i++) {
		type[i]->type = string(g, p->type[i].name);
		type[i]->unit = string(g, p->type[i].unit);
	}
	g->m.sample_type = type;
	g->m.n_sample_type = p->ntypes;
	g->m.default_sample_type = p->ntypes ? type[profile_type_index(p, wanted)]->type : 0;
	g->m.period_type = type[PROFILE_TYPES_MAX];
	g->m.period_type->type = string(g, p->period_type.name);
	g->m.period_type->unit = string(g, p->period_type.unit);
}

static void put_mappings(struct making *g)
{
	const struct profile *p = g->p;
	g->m.n_mapping = p->nmappings - 1;
	g->m.mapping = messages(g, &perftools__profiles__mapping__descriptor, g->m.n_mapping);
	for (size_t i = 1; i < p->nmappings; i++) {
		const struct profile_mapping *from = &p->mapping[i];
		Perftools__Profiles__Mapping *to = g->m.mapping[i - 1];
		to->id = i;
		to->memory_start = from->start;
		to->memory_limit = from->end;
		to->file_offset = from->offset;
		to->filename = string(g, from->path);
		to->build_id = string(g, from->build_id);
		to->has_functions = from->has_functions;
		to->has_filenames = to->has_line_numbers = from->has_lines;
		to->has_inline_frames = from->has_inlines;
	}
}

static void put_labels(struct making *g, Perftools__Profiles__Sample *to, const struct profile_sample *s)
{
	to->n_label = s->nlabels;
	to->label = messages(g, &perftools__profiles__label__descriptor, s->nlabels);
	for (uint32_t k = 0; k < s->nlabels; k++) {
		const struct profile_label *from = &s->label[k];
		to->label[k]->key = string(g, from->key);
		to->label[k]->str = string(g, from->str);
		to->label[k]->num = from->str ? 0 : from->num;
		to->label[k]->num_unit = from->str ? 0 : string(g, from->unit);
	}
}

static void put_sample(struct making *g, Perftools__Profiles__Sample *to, const struct profile_sample *s)
{
	to->location_id = profile_keep(g->store, NULL, s->nlocs * sizeof *to->location_id);
	to->n_location_id = s->nlocs;
	for (uint32_t k = 0; k < s->nlocs; k++) {
		to->location_id[k] = s->loc[k];
		g->location[s->loc[k]] = 1;
	}
	put_labels(g, to, s);
}

static void put_samples(struct making *g)
{
	const struct profile *p = g->p;
	int64_t *value[PROFILE_TYPES_MAX];
	for (unsigned k = 0; k < p->ntypes; k++) value[k] = whole_values(p, k);
	g->m.sample = messages(g, &perftools__profiles__sample__descriptor, p->nsamples);
	for (size_t i = 0; i < p->nsamples; i++) {
		Perftools__Profiles__Sample *to = g->m.sample[g->m.n_sample];
		int64_t any = 0;
		for (unsigned k = 0; k < p->ntypes; k++) any |= value[k][i];
		if (!any) continue;
		to->value = profile_keep(g->store, NULL, p->ntypes * sizeof *to->value);
		to->n_value = p->ntypes;
		for (unsigned k = 0; k < p->ntypes; k++) to->value[k] = value[k][i];
		put_sample(g, to, &p->sample[i]);
		g->m.n_sample++;
	}
	for (unsigned k = 0; k < p->ntypes; k++) free(value[k]);
}

static void put_location(struct making *g, Perftools__Profiles__Location *to, uint32_t index)
{
	const struct profile_location *l = &g->p->location[index];
	to->id = index;
	to->mapping_id = l->mapping;
	to->address = l->addr;
	to->n_line = l->nlines;
	to->line = messages(g, &perftools__profiles__line__descriptor, l->nlines);
	for (uint32_t k = 0; k < l->nlines; k++) {
		to->line[k]->function_id = l->line[k].function;
		to->line[k]->line = l->line[k].line;
		g->function[l->line[k].function] = 1;
	}
}

static void put_function(struct making *g, Perftools__Profiles__Function *to, uint32_t index)
{
	const struct profile_function *f = &g->p->function[index];
	to->id = index;
	to->name = string(g, *f->name ? f->name : f->linkage);
	to->system_name = string(g, *f->linkage ? f->linkage : f->name);
	to->filename = string(g, f->file);
	to->start_line = f->start_line;
}

/* After the samples: what they use, and no more. */
static void put_code(struct making *g)
{
	const struct profile *p = g->p;
	g->m.location = messages(g, &perftools__profiles__location__descriptor, p->nlocations);
	for (uint32_t i = 1; i < p->nlocations; i++)
		if (g->location[i]) put_location(g, g->m.location[g->m.n_location++], i);
	g->m.function = messages(g, &perftools__profiles__function__descriptor, p->nfunctions);
	for (uint32_t i = 1; i < p->nfunctions; i++)
		if (g->function[i]) put_function(g, g->m.function[g->m.n_function++], i);
}

/* Last: everything else has named its strings. */
static void put_strings(struct making *g)
{
	g->m.n_string_table = g->ntext;
	g->m.string_table = profile_keep(g->store, NULL, g->ntext * sizeof *g->m.string_table);
	for (size_t i = 0; i < g->ntext; i++)
		g->m.string_table[i] = plain_text(profile_keep(g->store, g->text[i], strlen(g->text[i]) + 1));
}

static void put_comments(struct making *g)
{
	g->m.n_comment = g->p->ncomments;
	g->m.comment = profile_keep(g->store, NULL, g->p->ncomments * sizeof *g->m.comment);
	for (size_t i = 0; i < g->p->ncomments; i++) g->m.comment[i] = string(g, g->p->comment[i]);
}

static int put_gzip(FILE *out, const uint8_t *bytes, size_t n, struct err *e)
{
	enum { GZIP = 16, STEP = 1 << 30 };
	uint8_t buf[16384];
	z_stream z = { 0 };
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(e, ERR_FAIL, "writing the profile: zlib cannot start: %s", z.msg ? z.msg : "out of memory");
	int status = Z_OK;
	while (status != Z_STREAM_END) {
		if (!z.avail_in && n) {
			z.next_in = (uint8_t *)bytes;
			z.avail_in = n < STEP ? (uInt)n : STEP;
			bytes += z.avail_in;
			n -= z.avail_in;
		}
		z.next_out = buf;
		z.avail_out = sizeof buf;
		status = deflate(&z, n ? Z_NO_FLUSH : Z_FINISH);
		fwrite(buf, 1, sizeof buf - z.avail_out, out);
	}
	deflateEnd(&z);
	return 0;
}

static int pprof_write(const struct format *f, FILE *out, const struct profile *p, const struct format_options *o, struct err *e)
{
	(void)f;
	struct making g = { .p = p, .store = profile_store_new(), .ntext = 1, .m = PERFTOOLS__PROFILES__PROFILE__INIT };
	g.text = xcalloc(2, sizeof *g.text);
	g.text[0] = "";
	g.location = profile_keep(g.store, NULL, p->nlocations);
	g.function = profile_keep(g.store, NULL, p->nfunctions);
	put_types(&g, o->type);
	put_mappings(&g);
	put_samples(&g);
	put_code(&g);
	put_comments(&g);
	put_strings(&g);
	g.m.time_nanos = (int64_t)p->time_ns;
	g.m.duration_nanos = p->duration_ns;
	g.m.period = p->period;
	size_t n = perftools__profiles__profile__get_packed_size(&g.m);
	uint8_t *bytes = xmalloc(n);
	perftools__profiles__profile__pack(&g.m, bytes);
	int status = put_gzip(out, bytes, n, e);
	free(bytes);
	free(g.text);
	profile_table_free(&g.strings);
	profile_store_free(g.store);
	return status;
}

const struct format format_pprof = {
	.name = "pprof",
	.summary = "for go tool pprof and everything that reads its files",
	.suffix = "pb.gz",
	.to_terminal = 0,
	.write = pprof_write,
};
