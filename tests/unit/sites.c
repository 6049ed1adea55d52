/* sites.c: rows of a snapshot by name, their rates, their columns; units; hostile names. Symbols are this file's own. */
/* LINK: inspect/model/sites.c inspect/model/site_names.c inspect/symbol/plumbing.c inspect/model/columns.c inspect/model/table.c inspect/model/units.c inspect/model/plain.c inspect/model/snapshot.c inspect/target/xalloc.c */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/columns.h"
#include "inspect/model/plain.h"
#include "inspect/model/site_names.h"
#include "inspect/model/sites.h"
#include "inspect/model/units.h"

static int n, bad;

static void ok(int good, const char *what)
{
	n++;
	bad += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", n, what);
}

static void is(const char *got, const char *want)
{
	ok(!strcmp(got, want), want);
	if (strcmp(got, want)) printf("# got: %s\n", got);
}

/* Addresses 0x1000… are the program's, 0x2000… libc's. One function per 16 bytes, two at 0x1040 (one inlined). */
static struct symbol_module module[] = {
	{ .start = 0x1000, .end = 0x2000, .path = "/usr/bin/prog" }, { .start = 0x2000, .end = 0x3000, .path = "/lib/libc.so.6" },
};

const struct symbol_module *symbol_module_of(struct symbolizer *s, uint64_t addr)
{
	(void)s;
	return addr >= 0x1000 && addr < 0x3000 ? &module[addr >= 0x2000] : NULL;
}

size_t symbol_lookup(struct symbolizer *s, uint64_t addr, struct symbol_frame *f, size_t max)
{
	static const char *const own[] = { "main", "serve", "xmalloc", "load", "inner", "operator new(unsigned long)", "evil\033[2J" };
	(void)s;
	(void)max;
	if (addr >= 0x2000 && addr < 0x3000) return f[0] = (struct symbol_frame){ .function = "fopen" }, 1;
	if (addr < 0x1000 || (addr - 0x1000) / 16 >= sizeof own / sizeof *own) return 0;
	f[0] = (struct symbol_frame){ .function = own[(addr - 0x1000) / 16], .inlined = addr / 16 == 0x104 };
	f[1] = (struct symbol_frame){ .function = "outer" };
	return addr / 16 == 0x104 ? 2 : 1;
}

static void units(void)
{
	char b[UNITS_MAX];

	is(units_bytes(0, b), "0");
	is(units_bytes(999, b), "999");
	is(units_bytes(1000, b), "0.98K");
	is(units_bytes(1024 * 1.5, b), "1.50K");
	is(units_bytes(12.34 * (1 << 20), b), "12.3M");
	is(units_bytes(-123.4 * (1 << 20), b), "-123M");
	is(units_bytes(999.6 * (1 << 20), b), "0.98G");
	is(units_bytes(1e30, b), "867361737988E");
	is(units_count(12345, b), "12.3k");
	is(units_count(0.4, b), "0.4");
	is(units_setting(512 << 10, b), "512K");
	is(units_setting(1000, b), "1000");
	is(units_seconds(-1, b), "-");
	is(units_nanoseconds(0, b), "0");
	is(units_nanoseconds(812, b), "812ns");
	is(units_nanoseconds(999.7, b), "1.00us");
	is(units_nanoseconds(55.64e6, b), "55.6ms");
	is(units_nanoseconds(-1.234e9, b), "-1.23s");
	is(units_nanoseconds(3.6e12, b), "3600s");
	is(units_seconds(0.0123, b), "12ms");
	is(units_seconds(59.96, b), "1m00s");
	is(units_seconds(312, b), "5m12s");
	is(units_seconds(7380, b), "2h03m");
	is(units_seconds(352800, b), "4d02h");
}

static void plain(void)
{
	char a[] = "a\033[2J\nb\x7f", b[] = "gr\xc3\xbc\xc3\x9f \xc2\x9b \xff\xc0\xaf\xed\xa0\x80.", c[] = "\xe2\x80\xaex", d[] = "gr\xc3\xbc\xc3\x9f dich";

	is(plain_text(a), "a?[2J?b?");
	is(plain_text(b), "gr\xc3\xbc\xc3\x9f ?? ??????.");
	is(plain_text(c), "???x");
	ok(plain_width(d) == 9, "characters, not bytes, count");
	is(plain_cut(d, 6), "gr\xc3\xbc\xc3\x9f..");
}

/* Return addresses: one behind the instruction. */
static const uint64_t stack[][5] = {
	{ 0x2001, 0x1021, 0x1031, 0x1011, 0x1001 },     /* libc, xmalloc, load, serve, main */
	{ 0x2051, 0x1031, 0x1011, 0x1001 },             /* libc, load, serve, main: reads the same */
	{ 0x1041, 0x1001 },                             /* inner inlined into outer, main */
	{ 0x1051, 0x1011, 0x1011, 0x1001 },             /* new, serve, serve (recursion), main */
	{ 0x2001 },                                     /* libc alone */
	{ 0x5001, 0x1061 },                             /* unknown code, evil name */
	{ 0 },                                          /* no stack */
};

/* Code without names between malloc and the program. */
static void nameless(void)
{
	static const uint64_t inner[] = { 0x2001, 0x1101, 0x1111, 0x1021, 0x1031, 0x1011 }, own[] = { 0x2001, 0x1101, 0x1031, 0x1011 }, thread[] = { 0x1101, 0x2001, 0x1021 };
	struct site_names *names = site_names_new(NULL);

	is(site_names_of(names, inner, 6)->function, "load");
	is(site_names_of(names, inner, 6)->caller, "serve");
	is(site_names_of(names, own, 4)->function, "prog+0x1100");
	is(site_names_of(names, own, 4)->caller, "load");
	is(site_names_of(names, thread, 3)->function, "prog+0x1100");
	site_names_free(names);
}

static struct snapshot make(double scale, struct snap_site *site)
{
	static const unsigned depth[] = { 5, 4, 2, 4, 1, 2, 0 };
	struct snapshot s = { .site = site, .nsites = 7, .age_s = 10, .rate = 1, .running = 1, .ticks_per_s = 1e9 };

	for (unsigned i = 0; i < 7; i++)
		site[i] = (struct snap_site){ .pc = stack[i], .depth = depth[i], .samples = 1, .live_samples = 1, .live_bytes = 1024.0 * (10 - i),
			.live_objects = 2, .live_variance = 1 << 20, .alloc_bytes = 2048 * scale * (10 - i), .alloc_objects = 4 * scale };
	site[0].freed_bytes = 100;
	site[0].remote_bytes = 25;
	return s;
}

/* Every column of a row, a blank between them. */
static void cells(char line[1024], const struct site_row *r, const struct sites *s)
{
	char text[COLUMNS_TEXT], cell[TABLE_CELL];

	*line = 0;
	for (const struct column *c = columns; c->as.name; c++) {
		union table_cell v = { .text = text };
		if (c->text) c->text(r, text);
		else v.number = c->value(r, s);
		table_cell(&c->as, &v, 0, cell);
		sprintf(line + strlen(line), "%s%s", *line ? " " : "", cell);
	}
}

static void rows(void)
{
	static const char *const want[][2] = {
		{ "load", "serve" }, { "inner", "outer" }, { "serve", "main" }, { "fopen", "" }, { "0x5000", "evil?[2J" },
		{ "[stack not recorded]", "" },
	};
	struct snap_site a[7], b[7];
	struct snapshot now = make(2, a), before = make(1, b);
	struct site_names *names = site_names_new(NULL);
	struct sites s;
	char line[1024];

	sites_make(&s, &now, NULL, 0, names);
	ok(s.n == 6, "stacks that read the same are one row");
	for (size_t i = 0; i < s.n && i < 6; i++) {
		is(s.row[i].function, want[i][0]);
		is(s.row[i].caller, want[i][1]);
	}
	ok(s.row[0].stacks == 2 && s.row[0].total.live_bytes == 19456 && s.row[0].total.live_variance == 1 << 21, "sums of its stacks");
	ok(s.live_bytes == 1024 * 49 && s.row[0].bytes_per_s == 2048 * 2 * 19 / 10.0 && s.interval_s == 0, "average rate since the start");
	sites_free(&s);

	sites_make(&s, &now, &before, 4, names);
	ok(s.interval_s == 4 && s.row[0].bytes_per_s == 2048 * 19 / 4.0 && s.bytes_per_s == 2048 * 49 / 4.0, "rate between two moments");
	cells(line, &s.row[0], &s);
	is(line, "19.0K 1.41K 38.8% 4 9.50K - 25.0% load < serve");
	ok(s.rate_error == 0, "of rates that are exact no error");
	sites_free(&s);

	a[0].alloc_variance = 5 << 20, b[0].alloc_variance = 1 << 20;
	sites_make(&s, &now, &before, 4, names);
	ok(s.rate_error == 512, "error of what was sampled between the two");
	sites_free(&s);
	/* a row of which no block was sampled meanwhile, where not each is */
	now.rate = before.rate = 1000;
	a[2].samples = 2, a[2].alloc_bytes = 9e6, b[2].alloc_bytes = 1e6;
	a[0].samples = 30;
	sites_make(&s, &now, &before, 4, names);
	ok(s.row[1].rate_samples == 1 && s.row[1].bytes_per_s == 2e6, "the rate of one that was sampled");
	ok(s.row[2].bytes_per_s < 0 && s.row[2].objects_per_s < 0 && s.bytes_per_s > 2e6, "of one that was not it is unknown, and not zero");
	struct snap_site c[7];
	struct snapshot far = make(0.5, c);
	c[2].samples = 0, c[2].alloc_bytes = 0, c[3].samples = 0, c[3].alloc_bytes = 0;
	far.rate = 1000;
	double of_many = s.row[0].bytes_per_s, of_all = s.bytes_per_s;
	sites_look_back(&s, &now, &far, 60, names);
	ok(s.row[1].bytes_per_s == 9e6 / 60 && s.row[1].rate_samples == 2, "few samples: of a longer time");
	ok(s.row[2].rate_samples == 1 && s.row[2].bytes_per_s > 0, "none: likewise");
	s.row[3].total.live_samples = 0, s.row[3].total.live_variance = 0;
	cells(line, &s.row[3], &s);
	is(line, "6.00K - 12.2% 2 - - - fopen");
	ok(s.row[3].bytes_per_s < 0, "and where there was none then either it stays unknown");
	ok(s.row[0].bytes_per_s == of_many && s.bytes_per_s == of_all, "many: as it was");
	sites_free(&s);
	now.rate = before.rate = 1;
	now.running = 0;
	sites_make(&s, &now, &before, 4, names);
	ok(s.bytes_per_s < 0 && s.row[0].bytes_per_s < 0, "no rate of an agent that is stopped");
	sites_free(&s);
	now.running = 1;

	now.epoch = 3;
	sites_make(&s, &now, &before, 4, names);
	ok(s.bytes_per_s < 0 && s.row[0].bytes_per_s < 0, "no rate over a reset");
	cells(line, &s.row[0], &s);
	is(line, "19.0K 1.41K 38.8% 4 - - 25.0% load < serve");
	sites_free(&s);
	site_names_free(names);
}

int main(void)
{
	units();
	plain();
	nameless();
	rows();
	printf("1..%d\n", n);
	return bad != 0;
}
