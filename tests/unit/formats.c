/* formats.c: every output format on one small recorded profile, and the reader of pprof files on what it must refuse. Without
 * arguments it tests. For tests/cli/formats: `formats write NAME [exact]` puts the recording on stdout in that format, `formats
 * convert NAME FILE [exact]` a pprof file, `formats difference NAME FILE BASE` what two of them differ by, `formats many NAME`
 * a made-up profile of 5000 stacks, `formats unnamed NAME` one of an address in the program itself. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "inspect/format/format.h"
#include "inspect/format/profile.pb-c.h"
#include "inspect/format/whole.h"
#include "inspect/model/profile.h"
#include "inspect/target/err.h"
#include "inspect/target/maps.h"

#define HOSTILE "</script><img src=x onerror=alert(1)>;\n\033[31m\xff{{data}}"

static int tests, failures;
static struct err e;    /* the last one */

static void ok(int good, const char *what)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", ++tests, what);
	failures += !good;
}

static uint32_t place(struct profile *p, uint64_t addr, uint32_t mapping, unsigned n, const char *const (*f)[3], const unsigned *line)
{
	struct profile_line lines[4];
	for (unsigned i = 0; i < n; i++) lines[i] = (struct profile_line){ profile_function(p, f[i][0], f[i][1], f[i][2], 7), line[i] };
	uint32_t l = profile_location(p, addr, mapping);
	if (n) profile_lines(p, l, lines, n);
	return l;
}

/* Stacks leaf first; inlined code, C++, a name made to do harm, code without symbols, a truncated stack, labels. */
static struct profile *recorded(void)
{
	struct profile *p = profile_new();
	const struct profile_type types[] = {
		{ "alloc_objects", "count" }, { "alloc_space", "bytes" }, { "inuse_objects", "count" }, { "inuse_space", "bytes" },
	};
	memcpy(p->type, types, sizeof types);
	p->ntypes = 4;
	p->default_type = 3;
	p->period_type = (struct profile_type){ "space", "bytes" };
	p->period = 524288;
	p->time_ns = 1700000000123456789u;
	p->duration_ns = 90500000000;
	p->program = profile_string(p, "shop");
	p->pid = 4242;
	profile_comment(p, "alloctop: sampled heap profile of %s, pid %d", p->program, p->pid);
	profile_comment(p, "lost: 3 early: allocations served before the agent could start");

	uint32_t shop = profile_mapping(p, 0x400000, 0x500000, 0, "/srv/shop", "0123456789abcdef0123456789abcdef01234567");
	uint32_t lib = profile_mapping(p, 0x7f0000000000, 0x7f0000100000, 0, "/usr/lib/libcart.so.2", "fedcba98");
	uint32_t bare = profile_mapping(p, 0x7f0000200000, 0x7f0000300000, 0x1000, "/usr/lib/libbare.so", "");
	for (uint32_t m = shop; m <= lib; m++) p->mapping[m].has_functions = p->mapping[m].has_lines = 1;
	p->mapping[lib].has_inlines = 1;

	uint32_t start = place(p, 0x401000, shop, 1, (const char *const[][3]){ { "main", "main", "/src/main.c" } }, (unsigned[]){ 42 });
	uint32_t serve = place(p, 0x401100, shop, 1, (const char *const[][3]){ { "serve", "serve", "/src/serve.c" } }, (unsigned[]){ 120 });
	uint32_t push = place(p, 0x7f0000001234, lib, 2, (const char *const[][3]){
		{ "std::vector<Item>::push_back", "_ZNSt6vectorI4ItemE9push_backEv", "/usr/include/c++/12/bits/stl_vector.h" },
		{ "Cart::add", "_ZN4Cart3addEv", "/src/cart.cc" } }, (unsigned[]){ 1287, 31 });
	uint32_t harm = place(p, 0x401200, shop, 1, (const char *const[][3]){ { HOSTILE, HOSTILE, "/src/\"x\".c" } }, (unsigned[]){ 1 });
	uint32_t bald = place(p, 0x7f0000200010, bare, 0, NULL, NULL);
	uint32_t cut = profile_location_new(p, 0, 0);
	struct profile_line words = { .function = profile_function(p, "[truncated: no unwind information]", "", "", 0) };
	profile_lines(p, cut, &words, 1);

	struct profile_label thread = { "thread", "worker 1", NULL, 0 }, bytes = { "bytes", NULL, "bytes", 48 };
	struct profile_label both[] = { thread, bytes };
	double var[] = { 0, 9e10, 100, 4e10 };
	profile_add(p, (uint32_t[]){ push, serve, start }, 3, NULL, 0, (double[]){ 1000.4, 4000000.5, 250.4, 1048576.1 }, var);
	profile_add(p, (uint32_t[]){ harm, start }, 2, NULL, 0, (double[]){ 10.3, 5000.3, 5.3, 2500.3 }, NULL);
	profile_add(p, (uint32_t[]){ bald, cut }, 2, NULL, 0, (double[]){ 3.3, 786432.2, 3.3, 786432.2 }, var);
	profile_add(p, (uint32_t[]){ serve, start }, 2, both, 2, (double[]){ 0, 0, 12.5, 600.7 }, NULL);
	profile_add(p, (uint32_t[]){ serve, serve, start }, 3, NULL, 0, (double[]){ 77, 7700, 0, 0 }, NULL);
	return p;
}

static unsigned exact;

static char *written(const char *name, const struct profile *p, size_t *n)
{
	char *text = NULL;
	struct format_options o = { .type = -1, .limit = exact ? 0 : 20, .exact_bytes = exact };
	const struct format *f = format_find(name);
	FILE *out = open_memstream(&text, n);
	if (!f || f->write(f, out, p, &o, &e)) exit(1);
	fclose(out);
	return text;
}

/* What pprof_read says of some bytes; NULL in `out` when it refuses. */
static int read_back(const void *bytes, size_t n, struct profile **out)
{
	char path[] = "/tmp/formats.XXXXXX";
	e = (struct err){ 0 };
	int fd = mkstemp(path);
	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n) exit(1);
	close(fd);
	*out = NULL;
	int status = pprof_read(path, out, &e);
	unlink(path);
	if (status && (!*e.text || e.kind == ERR_NONE)) exit(1);
	return status;
}

static void test_whole(const struct profile *p)
{
	int good = 1;
	for (unsigned t = 0; t < p->ntypes; t++) {
		int64_t *v = whole_values(p, t), sum = 0;
		for (size_t i = 0; i < p->nsamples; i++) {
			sum += v[i];
			if (v[i] - p->sample[i].value[t] >= 1 || p->sample[i].value[t] - v[i] >= 1) good = 0;
		}
		good = good && sum == whole_number(profile_total(p, t));
		free(v);
	}
	ok(good, "whole values are within one of the estimate and add up to the rounded total");
	ok(whole_number(1e300) == INT64_MAX && whole_number(-1e300) == INT64_MIN && whole_number(0.0 / 0.0) == 0, "whole numbers are clamped");
}

static void test_round_trip(const struct profile *p)
{
	size_t n, m;
	struct profile *q;
	char *file = written("pprof", p, &n), *again;
	ok(!read_back(file, n, &q), "a pprof file is read back");
	if (!q) exit(1);
	int same = q->ntypes == 4 && q->default_type == 3 && q->period == p->period && q->time_ns == p->time_ns &&
	           q->duration_ns == p->duration_ns && q->ncomments == 2 && q->nmappings == p->nmappings && !strcmp(q->program, "shop") &&
	           !strcmp(q->mapping[1].build_id, p->mapping[1].build_id) && q->nsamples == p->nsamples;
	for (unsigned t = 0; t < 4; t++) same = same && profile_total(q, t) == (double)whole_number(profile_total(p, t));
	ok(same, "its head, mappings and totals are the same");
	again = written("pprof", q, &m);
	ok(n == m && !memcmp(file, again, n), "written again it is the same file, byte for byte");
	struct profile *d;
	ok(!profile_subtract(p, q, &d, &e) && d->nsamples == 2, "nothing but the hostile name, made plain, differs from what was written");
	profile_free(d);
	profile_free(q);
	free(file);
	free(again);
}

static void test_damage(const struct profile *p)
{
	size_t n, bad = 0, accepted = 0;
	struct profile *q;
	char *file = written("pprof", p, &n);
	for (size_t cut = 0; cut < n; cut += 7) {
		accepted += !read_back(file, cut, &q) && cut > 0;
		profile_free(q);
	}
	ok(!accepted, "a file cut short anywhere is refused");
	char longer[16384];
	memcpy(longer, file, n);
	memcpy(longer + n, "more", 4);
	ok(read_back(longer, n + 4, &q), "bytes behind the end are refused");

	char raw[16384];
	z_stream z = { .next_in = (Bytef *)file, .avail_in = (uInt)n, .next_out = (Bytef *)raw, .avail_out = sizeof raw };
	inflateInit2(&z, 15 + 16);
	inflate(&z, Z_FINISH);
	size_t size = z.total_out;
	inflateEnd(&z);
	ok(!read_back(raw, size, &q) && q && q->nsamples == p->nsamples, "a file that is not compressed is read, too");
	profile_free(q);
	for (size_t i = 0; i < size; i++) {
		raw[i] ^= (char)(1 << i % 8);
		if (!read_back(raw, size, &q)) {
			/* whatever was accepted must be sound enough to be written and summed up */
			size_t m, rows;
			free(written("text", q, &m));
			free(written("json", q, &m));
			free(profile_flatten(q, q->default_type, &rows));
		} else bad++;
		profile_free(q);
		raw[i] ^= (char)(1 << i % 8);
	}
	ok(bad > size / 20, "one flipped bit: many files are refused, the others stay usable");
	free(file);
}

static void test_bomb(void)
{
	enum { SIZE = 64 << 20 };
	struct profile *q;
	uLongf n = compressBound(SIZE) + 64;
	uint8_t *zeros = calloc(1, SIZE), *packed = malloc(n);
	z_stream z = { .next_in = zeros, .avail_in = SIZE, .next_out = packed, .avail_out = (uInt)n };
	deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	deflate(&z, Z_FINISH);
	ok(read_back(packed, z.total_out, &q) && strstr(e.text, "inflates far more"), "a file that inflates a thousandfold is refused");
	deflateEnd(&z);
	free(zeros);
	free(packed);
}

/* A message with one thing wrong, each in its turn. */
static void test_references(void)
{
	static const char *const what[] = {
		"the same message with nothing wrong is read", "a location that is not there is refused", "a function that is not there is refused",
		"a mapping that is not there is refused", "a string that is not there is refused", "a negative string index is refused",
		"a sample with too few values is refused", "an id given twice is refused", "the id 0 is refused", "no sample type is refused",
		"a table that does not begin with the empty string is refused",
	};
	for (unsigned i = 0; i < sizeof what / sizeof *what; i++) {
		char *strings[] = { i == 10 ? "x" : "", "space", "bytes", "f" };
		Perftools__Profiles__ValueType type = PERFTOOLS__PROFILES__VALUE_TYPE__INIT, *types[] = { &type };
		Perftools__Profiles__Line line = PERFTOOLS__PROFILES__LINE__INIT, *lines[] = { &line };
		Perftools__Profiles__Function fn = PERFTOOLS__PROFILES__FUNCTION__INIT, *fns[] = { &fn };
		Perftools__Profiles__Location loc = PERFTOOLS__PROFILES__LOCATION__INIT, *locs[] = { &loc, &loc };
		Perftools__Profiles__Sample sample = PERFTOOLS__PROFILES__SAMPLE__INIT, *samples[] = { &sample };
		Perftools__Profiles__Profile m = PERFTOOLS__PROFILES__PROFILE__INIT;
		uint64_t id = i == 1 ? 99 : i == 8 ? 0 : 7;
		int64_t value = 1;
		type.type = i == 4 ? 4 : 1;
		type.unit = i == 5 ? -1 : 2;
		fn.id = 1;
		fn.name = 3;
		line.function_id = i == 2 ? 2 : 1;
		loc.id = i == 8 ? 0 : 7;
		loc.mapping_id = i == 3;
		loc.line = lines;
		loc.n_line = 1;
		sample.location_id = &id;
		sample.n_location_id = 1;
		sample.value = &value;
		sample.n_value = i != 6;
		m.sample_type = types; m.n_sample_type = i != 9;
		m.sample = samples; m.n_sample = 1;
		m.location = locs; m.n_location = i == 7 ? 2 : 1;
		m.function = fns; m.n_function = 1;
		m.string_table = strings; m.n_string_table = 4;
		uint8_t buf[512];
		size_t n = perftools__profiles__profile__pack(&m, buf);
		struct profile *q;
		int status = read_back(buf, n, &q);
		ok(i == 0 ? !status && q->nsamples == 1 : status == -1, what[i]);
		profile_free(q);
	}
}

static void test_json(const struct profile *p)
{
	size_t n;
	json_error_t why;
	char *text = written("json", p, &n);
	json_t *j = json_loadb(text, n, 0, &why), *s;
	json_int_t sum = 0;
	size_t i;
	ok(j && !strcmp(json_string_value(json_object_get(j, "program")), "shop"), "JSON is JSON");
	json_array_foreach(json_object_get(j, "samples"), i, s) sum += json_integer_value(json_object_get(json_object_get(s, "values"), "inuse_space"));
	ok(sum && sum == json_integer_value(json_object_get(json_object_get(j, "totals"), "inuse_space")), "JSON: the samples add up to the total");
	ok(json_array_size(json_object_get(json_array_get(json_object_get(j, "samples"), 0), "frames")) == 4, "JSON: inlined functions are frames");
	json_decref(j);
	free(text);
}

static void test_names(const struct profile *p)
{
	size_t n;
	char *html = written("html", p, &n), *folded = written("folded", p, &n), *text = written("text", p, &n);
	char *data = strstr(html, "id=\"profile\">"), *end = data ? strstr(data, "</script") : NULL;
	char *other = end ? strstr(end + 1, "</script") : NULL;
	ok(other && !strstr(other + 1, "</script"), "HTML: a name cannot end the script element");
	ok(!strstr(html, "<img") && !strchr(html, '\033'), "HTML: a name brings no markup");
	int http = 0;
	for (char *c = html; (c = strstr(c, "://")); c++) http += strncmp(c - 4, "http://www.w3.org/2000/svg", 26) != 0;
	ok(!http, "HTML: it refers to nothing on the network");
	ok(!strchr(text, '\033') && !strchr(folded, '\033') && !strchr(text, '\xff'), "text: a name cannot drive the terminal");
	ok(strstr(folded, "main;</script><img src=x onerror=alert(1)>:??[31m?{{data}} 2500\n") != NULL, "folded: a name cannot split a frame or a line");
	ok(strstr(folded, "main;serve;Cart::add;std::vector<Item>::push_back 1048576\n") != NULL, "folded: root first, inlined functions included");
	free(html);
	free(folded);
	free(text);
}

static void test_empty(void)
{
	struct profile *p = profile_new();
	p->ntypes = 1;
	p->type[0] = (struct profile_type){ "inuse_space", "bytes" };
	size_t n, files = 0;
	struct profile *q;
	for (const struct format *const *f = formats; *f; f++) {
		char *out = written((*f)->name, p, &n);
		if (!strcmp((*f)->name, "pprof")) ok(!read_back(out, n, &q) && q->nsamples == 0, "an empty profile is a profile"), profile_free(q);
		files++;
		free(out);
	}
	ok(files == 5 && !format_find("xml"), "every format takes an empty profile");
	profile_free(p);
}

/* Deterministic, wide and deep: what a large service looks like. */
static struct profile *many(void)
{
	enum { STACKS = 5000, FUNCTIONS = 900, MODULES = 12 };
	struct profile *p = recorded();
	uint64_t x = 88172645463325252u;
	for (int i = 0; i < STACKS; i++) {
		uint32_t loc[40], n = 0, f = 0;
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		uint32_t depth = 4 + (uint32_t)(x % 32);
		for (uint32_t d = 0; d < depth; d++) {
			char name[64], file[64], path[64];
			uint32_t child = (uint32_t)(x >> (d % 48)) % (d < 3 ? 3 : d < 8 ? 2 : 4);
			f = (f * 5 + child * 7 + d + 1) % FUNCTIONS;
			snprintf(name, sizeof name, "layer%u::Worker::handle_request_%u", d, f);
			snprintf(file, sizeof file, "/src/layer%u/worker_%u.cc", d, f);
			snprintf(path, sizeof path, "/usr/lib/libmodule%u.so", f % MODULES);
			uint64_t base = 0x7e0000000000u + (uint64_t)(f % MODULES) * 0x1000000;
			uint32_t m = profile_mapping(p, base, base + 0x1000000, 0, path, "");
			loc[n++] = place(p, base + d * 0x1000 + f, m, 1, (const char *const[][3]){ { name, name, file } }, (unsigned[]){ 10 + f });
		}
		for (uint32_t a = 0, b = n - 1; a < b; a++, b--) { uint32_t t = loc[a]; loc[a] = loc[b]; loc[b] = t; }
		double w = 524288 * (1 + (double)(x % 9));
		profile_add(p, loc, n, NULL, 0, (double[]){ w / 32, w * 3, w / 96, w }, (double[]){ 0, w * w * 3, w * w / 9216, w * w });
	}
	return p;
}

__attribute__((noinline)) static int landmark(int x) { return x * 3 + 1; }

/* A place in this very program, without its name: for pprof to find it in the binary. */
static struct profile *unnamed(void)
{
	struct profile *p = profile_new();
	struct maps maps;
	p->ntypes = 1;
	p->type[0] = (struct profile_type){ "inuse_space", "bytes" };
	if (maps_read(&maps, getpid(), &e)) exit(1);
	const struct map *here = maps_find(&maps, (uint64_t)(uintptr_t)landmark);
	if (!here) exit(1);
	uint32_t l = profile_location(p, (uint64_t)(uintptr_t)landmark + (uint64_t)(landmark(1) != 4), profile_mapping(p, here->start, here->end, here->offset, here->path, ""));
	profile_add(p, &l, 1, NULL, 0, (double[]){ 4096 }, NULL);
	maps_free(&maps);
	return p;
}

static struct profile *from_file(const char *path)
{
	struct profile *p = NULL;
	if (pprof_read(path, &p, &e)) fprintf(stderr, "%s\n", e.text), exit(1);
	return p;
}

static struct profile *asked_for(int argc, char **argv)
{
	exact = !strcmp(argv[argc - 1], "exact");
	if (!strcmp(argv[1], "write")) return recorded();
	if (!strcmp(argv[1], "many")) return many();
	if (!strcmp(argv[1], "unnamed")) return unnamed();
	if (argc < 4) exit(2);
	struct profile *p = from_file(argv[3]), *base, *d;
	if (strcmp(argv[1], "difference") || argc < 5) return p;
	base = from_file(argv[4]);
	if (profile_subtract(p, base, &d, &e)) fprintf(stderr, "%s\n", e.text), exit(1);
	profile_free(p);
	profile_free(base);
	return d;
}

int main(int argc, char **argv)
{
	if (argc > 2) {
		size_t n;
		struct profile *asked = asked_for(argc, argv);
		char *text = written(argv[2], asked, &n);
		fwrite(text, 1, n, stdout);
		free(text);
		profile_free(asked);
		return 0;
	}
	struct profile *p = recorded();
	test_whole(p);
	test_round_trip(p);
	test_damage(p);
	test_bomb();
	test_references();
	test_json(p);
	test_names(p);
	test_empty();
	profile_free(p);
	printf("1..%d\n", tests);
	return failures != 0;
}
