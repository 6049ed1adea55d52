/* profile.c: the model of a profile: interning, the way from a snapshot, symbols, subtraction, flattening. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/model/profile.h"
#include "inspect/model/snapshot.h"
#include "inspect/target/err.h"
#include "inspect/target/maps.h"

enum { ALLOC_OBJECTS, ALLOC_SPACE, INUSE_OBJECTS, INUSE_SPACE };

static int tests, failures;

static void ok(int good, const char *what)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", ++tests, what);
	failures += !good;
}

static int near(double a, double b) { return fabs(a - b) < 1e-6; }

static void test_interning(void)
{
	struct profile *p = profile_new();
	char a[] = "same", b[] = "same";
	ok(profile_string(p, a) == profile_string(p, b) && profile_string(p, "") == profile_string(p, NULL), "equal strings are one");
	uint32_t m = profile_mapping(p, 1, 2, 3, "/x", "ab"), f = profile_function(p, "f", "_f", "f.c", 1), l = profile_location(p, 9, m);
	ok(m && m == profile_mapping(p, 1, 2, 3, a[0] ? "/x" : "", "ab") && m != profile_mapping(p, 1, 2, 3, "/x", "ac"), "mappings are interned");
	ok(f && f == profile_function(p, "f", "_f", "f.c", 1) && f != profile_function(p, "f", "_f", "f.c", 2), "functions are interned");
	ok(l && l == profile_location(p, 9, m) && l != profile_location(p, 9, 0) && l != profile_location_new(p, 9, m), "locations are interned, unless asked for anew");

	p->ntypes = 1;
	struct profile_label x = { "thread", "x", NULL, 0 }, y = { "bytes", NULL, "bytes", 7 };
	uint32_t other[] = { l, l };
	profile_add(p, &l, 1, NULL, 0, (double[]){ 1 }, (double[]){ 4 });
	profile_add(p, &l, 1, &x, 1, (double[]){ 2 }, NULL);
	profile_add(p, &l, 1, &y, 1, (double[]){ 4 }, NULL);
	profile_add(p, other, 2, NULL, 0, (double[]){ 8 }, NULL);
	ok(p->nsamples == 4, "samples differ by stack and labels");
	struct profile_sample *s = profile_add(p, &l, 1, NULL, 0, (double[]){ 16 }, (double[]){ 5 });
	ok(p->nsamples == 4 && near(s->value[0], 17) && near(s->variance[0], 9), "and add up where they do not");

	for (int i = 0; i < 20000; i++) {
		char name[32];
		snprintf(name, sizeof name, "function %d", i);
		uint32_t loc[2] = { profile_location(p, 1000 + (uint64_t)i, 0), l };
		struct profile_line line = { profile_function(p, name, name, "", 0), 1 };
		profile_lines(p, loc[0], &line, 1);
		profile_add(p, loc, 2, NULL, 0, (double[]){ i }, NULL);
	}
	size_t n;
	struct profile_flat *row = profile_flatten(p, 0, &n);
	ok(p->nsamples == 20004 && n == 20000 && !strcmp(row[0].name, "function 19999"), "20000 of each find their places");
	free(row);
	profile_free(p);
}

static const uint64_t pcs[] = { 0x401101, 0x401201, 0x7f0000001001, 0x401301, 0x9999 };

/* Three stacks and the gathered rest: [0] none, [1] whole, [2] cut, [3] code of no module and of the library, never live. */
static struct snapshot *snapshot(void)
{
	static struct symbol_module module[] = {
		{ .start = 0x7f0000000000, .end = 0x7f0000100000, .path = "/lib/libx.so", .build_id = { 0xab, 0x0c }, .build_id_size = 2 },
		{ .start = 0x400000, .end = 0x500000, .path = "/srv/shop" },
	};
	static struct snap_site site[4];
	static struct snap_thread thread[2] = { { .tid = 0 }, { .tid = 12, .name = "io" } };
	static struct snap_live live[] = {
		{ .size = 100, .weight = 1000, .variance = 90000, .site = 1, .thread = 1 },
		{ .size = 100, .weight = 1000, .variance = 90000, .site = 1, .thread = 0 },
		{ .size = 50, .weight = 400, .variance = 2500, .site = 2, .thread = 1 },
		{ .size = 0, .weight = 0, .site = 0, .thread = 1 },
	};
	static struct snapshot s;
	s = (struct snapshot){ .pid = 77, .rate = 4096, .age_s = 2, .realtime_ns = 5000000000, .module = module, .nmodules = 2, .site = site,
	                       .nsites = 4, .live = live, .nlive = 4, .thread = thread, .nthreads = 2 };
	s.loss[WIRE_LOST_LIVE_FULL] = 6;
	site[0] = (struct snap_site){ .samples = 1, .alloc_objects = 1, .live_samples = 1, .live_objects = 1 };
	site[1] = (struct snap_site){ .pc = pcs, .depth = 2, .samples = 3, .alloc_bytes = 3000, .alloc_objects = 30, .alloc_variance = 9,
	                              .live_samples = 2, .live_bytes = 2000, .live_objects = 20, .live_variance = 180000 };
	site[2] = (struct snap_site){ .pc = pcs + 2, .depth = 1, .cut = 1 + WIRE_CUT_NO_RULE, .samples = 1, .alloc_bytes = 400, .alloc_objects = 8,
	                              .live_samples = 1, .live_bytes = 400, .live_objects = 8, .live_variance = 2500 };
	site[3] = (struct snap_site){ .pc = pcs + 4, .depth = 1, .samples = 2, .alloc_bytes = 70, .alloc_objects = 2 };
	return &s;
}

static const char *name_of(const struct profile *p, size_t sample, uint32_t loc)
{
	static char buf[256];
	return profile_name(p, &p->location[p->sample[sample].loc[loc]], 0, buf, sizeof buf);
}

static void test_snapshot(void)
{
	struct profile *p = profile_of_snapshot(snapshot(), PROFILE_HEAP, 0, "shop");
	ok(p->ntypes == 4 && !strcmp(p->type[p->default_type].name, "inuse_space") && p->period == 4096 && p->pid == 77 &&
	   p->time_ns == 5000000000 && p->duration_ns == 2000000000, "the head of a snapshot's profile");
	ok(!strcmp(p->mapping[1].path, "/srv/shop") && !strcmp(p->mapping[2].build_id, "ab0c") && p->nmappings == 3, "the program is the first mapping");
	ok(p->nsamples == 4 && near(profile_total(p, INUSE_SPACE), 2400) && near(profile_total(p, INUSE_OBJECTS), 29) &&
	   near(profile_total(p, ALLOC_SPACE), 3470) && near(profile_total(p, ALLOC_OBJECTS), 41), "live and cumulative values");
	ok(near(profile_variance(p, INUSE_SPACE), 182500) && near(profile_variance(p, INUSE_OBJECTS), 19) &&
	   near(profile_variance(p, ALLOC_SPACE), 9), "variances, that of live objects from the records");
	ok(p->location[p->sample[1].loc[0]].addr == 0x401100 && p->sample[1].nlocs == 2 && !strcmp(name_of(p, 1, 0), "shop+0x1100"),
	   "a location is the return address less one, named by module and offset");
	ok(p->sample[2].nlocs == 2 && !strcmp(name_of(p, 2, 1), "[truncated: no unwind information]"), "a truncated stack has a root that says so");
	ok(!strcmp(name_of(p, 0, 0), "[stack not recorded]"), "the gathered rest has a frame that says so");
	ok(!strcmp(name_of(p, 3, 0), "0x9998"), "code of no module has its address");
	int lost = 0;
	for (size_t i = 0; i < p->ncomments; i++) lost += strstr(p->comment[i], "lost: 6 ") != NULL;
	ok(lost == 1, "losses stand in the comments");
	profile_free(p);
	p = profile_of_snapshot(snapshot(), PROFILE_ALLOCS, 0, "shop");
	ok(!strcmp(p->type[p->default_type].name, "alloc_space"), "an allocs profile shows alloc_space first");
	profile_free(p);
}

static void test_labels(void)
{
	struct profile *p = profile_of_snapshot(snapshot(), PROFILE_HEAP, PROFILE_LABEL_THREAD | PROFILE_LABEL_SIZE, "shop");
	int threads = 0, sizes = 0, mixed = 0;
	for (size_t i = 0; i < p->nsamples; i++) {
		const struct profile_sample *s = &p->sample[i];
		if (s->nlabels && (s->value[ALLOC_SPACE] != 0 || s->value[ALLOC_OBJECTS] != 0)) mixed++;
		if (!s->nlabels && s->value[INUSE_SPACE] != 0) mixed++;
		for (uint32_t k = 0; k < s->nlabels; k++) {
			threads += !strcmp(s->label[k].key, "thread") && !strcmp(s->label[k].str, "io");
			sizes += !strcmp(s->label[k].key, "bytes") && !s->label[k].str && s->label[k].num == 100 && !strcmp(s->label[k].unit, "bytes");
		}
	}
	ok(threads == 3 && sizes == 2, "labels name thread and size");
	ok(!mixed, "live values stand with labels, cumulative ones without");
	ok(near(profile_total(p, INUSE_SPACE), 2400) && near(profile_total(p, INUSE_OBJECTS), 29) && near(profile_total(p, ALLOC_SPACE), 3470) &&
	   near(profile_variance(p, INUSE_OBJECTS), 19), "totals are those without labels");
	profile_free(p);
}

static uint32_t named(struct profile *p, uint64_t addr, const char *name, unsigned line)
{
	uint32_t l = profile_location(p, addr, 0);
	struct profile_line at = { profile_function(p, name, name, "x.c", 1), line };
	profile_lines(p, l, &at, 1);
	return l;
}

static struct profile *one_type(void)
{
	struct profile *p = profile_new();
	p->ntypes = 1;
	p->type[0] = (struct profile_type){ "inuse_space", "bytes" };
	return p;
}

static const struct profile_flat *flat(const struct profile_flat *row, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) if (!strcmp(row[i].name, name)) return &row[i];
	static const struct profile_flat none = { .name = "", .self = NAN, .cumulative = NAN, .self_variance = NAN };
	return &none;
}

static void test_flatten(void)
{
	struct profile *p = one_type();
	uint32_t a = named(p, 1, "a", 10), b = named(p, 2, "b", 20), a2 = named(p, 3, "a", 30);
	profile_add(p, (uint32_t[]){ a, b, a2 }, 3, NULL, 0, (double[]){ 100 }, (double[]){ 5 });
	profile_add(p, (uint32_t[]){ b, a }, 2, NULL, 0, (double[]){ 7 }, NULL);
	profile_add(p, (uint32_t[]){ b }, 1, NULL, 0, (double[]){ 0 }, (double[]){ 3 });
	size_t n;
	struct profile_flat *row = profile_flatten(p, 0, &n);
	const struct profile_flat *fa = flat(row, n, "a"), *fb = flat(row, n, "b");
	ok(n == 2 && row[0].name == fa->name && near(fa->self, 100) && near(fb->self, 7), "self values, the largest first");
	ok(near(fa->cumulative, 107) && near(fb->cumulative, 107), "a function that recurs is counted once per sample");
	ok(near(fa->self_variance, 5) && !strcmp(fa->file, "x.c") && fa->line == 1, "with variance, file and line");
	free(row);
	profile_free(p);
}

static void test_subtract(void)
{
	struct profile *a = one_type(), *b = one_type(), *d = NULL;
	struct err e = { 0 };
	/* the same program in two runs: other addresses, the same names */
	profile_add(a, (uint32_t[]){ named(a, 1, "grown", 5), named(a, 2, "main", 9) }, 2, NULL, 0, (double[]){ 100 }, (double[]){ 1 });
	profile_add(a, (uint32_t[]){ named(a, 3, "same", 5), named(a, 2, "main", 9) }, 2, NULL, 0, (double[]){ 50 }, NULL);
	profile_add(b, (uint32_t[]){ named(b, 11, "grown", 5), named(b, 12, "main", 9) }, 2, NULL, 0, (double[]){ 60 }, (double[]){ 2 });
	profile_add(b, (uint32_t[]){ named(b, 13, "same", 5), named(b, 12, "main", 9) }, 2, NULL, 0, (double[]){ 50.4 }, NULL);
	profile_add(b, (uint32_t[]){ named(b, 14, "gone", 5), named(b, 12, "main", 9) }, 2, NULL, 0, (double[]){ 30 }, NULL);
	/* code without names: the same file elsewhere in memory */
	uint32_t ma = profile_mapping(a, 0x1000, 0x2000, 0, "/lib/x.so", "aa"), mb = profile_mapping(b, 0x5000, 0x6000, 0, "/other/x.so", "aa");
	profile_add(a, (uint32_t[]){ profile_location(a, 0x1234, ma) }, 1, NULL, 0, (double[]){ 9 }, NULL);
	profile_add(b, (uint32_t[]){ profile_location(b, 0x5234, mb) }, 1, NULL, 0, (double[]){ 4 }, NULL);
	ok(!profile_subtract(a, b, &d, &e) && d->nsamples == 3, "what is equal in both is left out");
	size_t n;
	struct profile_flat *row = profile_flatten(d, 0, &n);
	ok(near(flat(row, n, "grown")->self, 40) && near(flat(row, n, "grown")->self_variance, 3), "stacks are matched by name, variances added");
	ok(near(flat(row, n, "gone")->self, -30), "what is gone is negative");
	ok(near(flat(row, n, "x.so+0x234")->self, 5), "code without names is matched by build ID and offset");
	free(row);
	profile_free(d);
	b->period = 4096;
	for (size_t i = 0; i < b->nsamples; i++) b->sample[i].variance[0] = 0;
	ok(!profile_subtract(a, b, &d, &e) && d->ncomments == 1 && strstr(d->comment[0], "errors"), "a sampled base without errors is remarked upon");
	profile_free(d);
	b->type[0].name = "cpu";
	ok(profile_subtract(a, b, &d, &e) == -1 && e.kind == ERR_USAGE && strstr(e.text, "cpu"), "other types cannot be subtracted");
	profile_free(a);
	profile_free(b);
}

__attribute__((noinline)) static int landmark(int x) { return x * 3 + 1; }

static void test_symbols(void)
{
	struct symbol_options o = { .pid = getpid() };
	struct err e = { 0 };
	struct symbolizer *s = symbol_open(NULL, 0, &o, &e);
	struct profile *p = one_type();
	uint32_t l = profile_location(p, (uint64_t)(uintptr_t)landmark, 0), nowhere = profile_location(p, 16, 0);
	if (s) profile_symbolise(p, s);
	const struct profile_location *at = &p->location[l];
	ok(at->nlines == 1 && !strcmp(p->function[at->line[0].function].name, "landmark"), "an address of a live process gets its name");
	ok(at->nlines == 1 && strstr(p->function[at->line[0].function].file, "profile.c") && at->line[0].line > 0, "its file and line");
	ok(p->location[nowhere].nlines == 0, "an address of nothing gets none");
	profile_free(p);
	symbol_close(s);
}

int main(void)
{
	test_interning();
	test_snapshot();
	test_labels();
	test_flatten();
	test_subtract();
	test_symbols();
	printf("1..%d\n", tests + (landmark(1) != 4));
	return failures != 0;
}
