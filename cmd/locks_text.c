/* locks_text.c: a struct lock_report for people, in 80 columns. */
#include "cmd/locks.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/lock/lock.h"
#include "inspect/model/plain.h"
#include "inspect/model/units.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/proc.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { LINE = 512, FRAME = 160, INLINED_MAX = 32 };

/* ---- stacks ---- */

char *locks_frame(struct symbolizer *s, const struct lock_stack *k, unsigned i, char *buf, size_t n)
{
	struct symbol_frame f[INLINED_MAX];
	uint64_t addr = k->pc[i] - (i > 0);
	const struct symbol_module *m;

	size_t found = symbol_lookup(s, addr, f, INLINED_MAX);

	if (found && *f[found - 1].function) {
		snprintf(buf, n, "%s", f[found - 1].function);
		return plain_text(buf);
	}
	m = symbol_module_of(s, addr);
	const char *slash = m ? strrchr(m->path, '/') : NULL;
	if (m) snprintf(buf, n, "%s+0x%" PRIx64, slash ? slash + 1 : m->path, addr - m->bias);
	else snprintf(buf, n, "0x%" PRIx64, addr);
	return plain_text(buf);
}

static int begins(const char *s, const char *with) { return !strncmp(s, with, strlen(with)); }

/* Of libraries that are all allocator or C library, and by name where those are linked into the program. */
static int is_inner(struct symbolizer *s, const struct lock_stack *k, unsigned i, const char *function)
{
	static const char *const libraries[] = { "libc.so", "libc-", "ld-musl-", "libpthread", "libjemalloc", "libtcmalloc", "libmimalloc", "ld-linux" };
	static const char *const functions[] = { "__", "_int_", "malloc", "free", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign", "operator new", "operator delete",
	                                         "arena_get", "tcache_", "sysmalloc", "systrim", "pthread_mutex_", "je_", "_rjem_", "tc_", "tcmalloc::", "futex" };
	const struct symbol_module *m = symbol_module_of(s, k->pc[i] - (i > 0));
	const char *slash = m ? strrchr(m->path, '/') : NULL, *base = slash ? slash + 1 : m ? m->path : "";

	for (size_t j = 0; j < sizeof libraries / sizeof *libraries; j++)
		if (begins(base, libraries[j])) return 1;
	for (size_t j = 0; j < sizeof functions / sizeof *functions; j++)
		if (begins(function, functions[j])) return 1;
	return 0;
}

/* Where a stack leaves the allocator. What was found by scanning leads out of code without tables, which is libc's: up to the last frame of it that
   bears such a name; where none has a name, up to the last. */
static unsigned inner_frames(struct symbolizer *s, const struct lock_stack *k)
{
	unsigned n = 0, i;
	char frame[FRAME];

	for (i = 0; i < k->scanned && i < k->depth; i++)
		if (is_inner(s, k, i, locks_frame(s, k, i, frame, sizeof frame))) n = i + 1;
	if (!n && k->scanned) n = k->scanned - 1;
	while (n < k->depth && is_inner(s, k, n, locks_frame(s, k, n, frame, sizeof frame))) n++;
	return n;
}

/* __libc_malloc is what the program calls malloc. */
static const char *public_name(const char *s)
{
	while (*s == '_' && s[1] != 'Z') s++;
	return begins(s, "libc_") ? s + 5 : s;
}

char *locks_stack(struct symbolizer *s, const struct lock_stack *k, char *buf, size_t n)
{
	char frame[FRAME];
	unsigned first = inner_frames(s, k), i;
	size_t len = 0;
	int inner = 0;

	/* all of it inner: libc waits for itself. Else the last inner frame is what was called: malloc, free. */
	if (first == k->depth) first = 0;
	else if (first) {
		const struct symbol_module *in = symbol_module_of(s, k->pc[first - 1] - 1), *out = symbol_module_of(s, k->pc[first] - 1);
		char *plus = strstr(locks_frame(s, k, first - 1, frame, sizeof frame), "+0x");
		if (!plus || in != out) {
			first--;
			inner = 1;
		}
	}
	*buf = 0;
	for (i = first; i < k->depth && len + 1 < n; i++) {
		const char *name = locks_frame(s, k, i, frame, sizeof frame);
		if (i == first && inner) {
			char *plus = strstr(frame, "+0x");
			if (plus) *plus = 0;    /* the library alone */
			name = public_name(name);
		}
		len += (size_t)snprintf(buf + len, n - len, "%s%s", i > first ? " < " : "", name);
	}
	return buf;
}

/* ---- figures ---- */

static char *number(double v, char buf[UNITS_MAX])
{
	if (fabs(v) < 10) snprintf(buf, UNITS_MAX, "%.2f", v);
	else units_count(v, buf);
	return buf;
}

/* "5.60 ±0.10" */
static char *figure(const struct lock_figure *f, char buf[64])
{
	char v[UNITS_MAX], e[UNITS_MAX];

	if (!f->source) return strcpy(buf, "-");
	if (f->error <= 0) snprintf(buf, 64, "%s", number(f->value, v));
	else snprintf(buf, 64, "%s ±%s", number(f->value, v), number(f->error, e));
	return buf;
}

static char *percent(const struct lock_figure *f, char buf[64])
{
	if (!f->source) return strcpy(buf, "-");
	if (f->error < 0) snprintf(buf, 64, "%.1f%%", 100 * f->value);
	else snprintf(buf, 64, "%.1f%% ±%.1f", 100 * f->value, 100 * f->error);
	return buf;
}

/* what, the words, and at the right the source */
static void line(unsigned columns, const char *what, const char *words, const char *source)
{
	char buf[LINE];
	size_t width, right = source ? strlen(source) : 0;

	snprintf(buf, sizeof buf, "  %-9s %s", what, words);
	plain_cut(buf, columns - right - 1);
	width = plain_width(buf);
	printf("%s%*s%s\n", buf, source ? (int)(columns - width - right) : 0, "", source ? source : "");
}

/* ---- one lock of an allocator ---- */

static void threads(const struct lock_row *row, unsigned columns)
{
	char words[LINE] = "";
	size_t len = 0;

	for (size_t i = 0; i < row->nwaiters && len < columns; i++) {
		char who[16];
		memcpy(who, row->waiter[i].name, sizeof who);
		who[sizeof who - 1] = 0;
		len += (size_t)snprintf(words + len, sizeof words - len, "%s%s %d %.0f%%", i ? ", " : "", plain_text(who), (int)row->waiter[i].tid, 100 * row->waiter[i].share);
	}
	if (*words) line(columns, "threads", words, NULL);
}

/* Stacks that differ only in what is not shown are one line. */
struct group { char words[LINE]; double cost; };

static int by_cost(const void *x, const void *y)
{
	const struct group *a = x, *b = y;

	return a->cost < b->cost ? 1 : a->cost > b->cost ? -1 : strcmp(a->words, b->words);
}

static size_t group(const struct locks_reading *r, const struct lock_row *row, struct group *g)
{
	double lost = 0, all = 0;
	size_t n = 0, j;

	for (size_t i = 0; i < row->nstacks; i++) lost += fmax(row->stack[i].lost_s, 0);
	for (size_t i = 0; i < row->nstacks; i++) {
		const struct lock_stack *k = &row->stack[i];
		locks_stack(r->symbols, k, g[n].words, sizeof g[n].words);
		for (j = 0; j < n && strcmp(g[j].words, g[n].words); j++);
		if (j == n) g[n++].cost = 0;
		g[j].cost += lost > 0 ? fmax(k->lost_s, 0) : k->waits;
		all += lost > 0 ? fmax(k->lost_s, 0) : k->waits;
	}
	for (j = 0; j < n && all > 0; j++) g[j].cost /= all;
	qsort(g, n, sizeof *g, by_cost);
	return n;
}

static void stacks(const struct locks_reading *r, const struct lock_row *row, unsigned columns, unsigned limit)
{
	if (!row->nstacks) return;
	struct group *g = xcalloc(row->nstacks, sizeof *g);
	size_t n = group(r, row, g);

	char words[64];
	snprintf(words, sizeof words, "%u stacks sampled", row->stack_samples);
	line(columns, "from", words, row->stack_source);
	for (size_t i = 0; i < n && (!limit || i < limit); i++) {
		char buf[LINE + 32];
		snprintf(buf, sizeof buf, "  %5.1f%%  %s", 100 * g[i].cost, g[i].words);
		puts(plain_cut(buf, columns));
	}
	if (limit && n > limit) printf("          and %zu more stacks\n", n - limit);
	free(g);
}

static void allocator_lock(const struct locks_reading *r, const struct lock_row *row, unsigned columns, unsigned limit)
{
	char words[LINE], a[64], b[64], title[128];

	snprintf(title, sizeof title, "%s", row->name);
	printf("\n%s%*s0x%" PRIx64 "\n", title, (int)columns - (int)strlen(title) - 2 - snprintf(a, sizeof a, "%" PRIx64, row->addr), "", row->addr);
	if (row->utilisation.source) {
		snprintf(words, sizeof words, "%s of the time", percent(&row->utilisation, a));
		line(columns, "held", words, row->utilisation.source);
	}
	if (row->mean_inside.source) {
		snprintf(words, sizeof words, "%s threads; two or more: %s", figure(&row->mean_inside, a), percent(&row->contended, b));
		line(columns, "inside", words, row->mean_inside.source);
	}
	if (row->lost_s_per_s.source) {
		snprintf(words, sizeof words, "%s thread-seconds a second", figure(&row->lost_s_per_s, a));
		line(columns, "lost", words, row->lost_s_per_s.source);
	}
	if (row->waits_per_s.source) {
		snprintf(words, sizeof words, "%s a second%s%s%s", figure(&row->waits_per_s, a), row->eagain.source ? ", " : "", row->eagain.source ? percent(&row->eagain, b) : "",
		         row->eagain.source ? " returned at once" : "");
		line(columns, "waits", words, row->waits_per_s.source);
	}
	if (row->wake_s_per_s.value > 0 || row->spin_s_per_s.value > 0) {
		snprintf(words, sizeof words, "%s threads wake others; %s about to wait", figure(&row->wake_s_per_s, a), figure(&row->spin_s_per_s, b));
		line(columns, "beside", words, row->wake_s_per_s.source);
	}
	if (row->cpu_s_per_s.source && row->cpu_s_per_s.value > 0) {
		snprintf(words, sizeof words, "%s processors busy in futex calls", figure(&row->cpu_s_per_s, a));
		line(columns, "calls", words, row->cpu_s_per_s.source);
	}
	threads(row, columns);
	stacks(r, row, columns, limit);
}

static int waited_for(const struct lock_row *row)
{
	return row->lost_s_per_s.value > 0 || row->waits_per_s.value > 0 || row->contended.value > 0 || row->nstacks;
}

/* Words, wrapped. */
static void wrap(const char *words, unsigned columns, unsigned indent)
{
	while (*words) {
		size_t len = strlen(words), cut = len;
		if (len + indent > columns) for (cut = columns - indent; cut > 20 && words[cut] != ' '; cut--);
		printf("%*s%.*s\n", (int)indent, "", (int)cut, words);
		for (words += cut; *words == ' '; words++);
	}
}

static void quiet_locks(const struct lock_report *l, unsigned columns, unsigned limit)
{
	char words[LINE * 2] = "", p[64];
	size_t held = 0, never = 0, len = 0;

	for (size_t i = 0; i < l->nrows && *l->row[i].allocator; i++) {
		const struct lock_row *row = &l->row[i];
		if (waited_for(row)) continue;
		if (row->utilisation.value <= 0) never++;
		else if (held++ < limit || !limit) {
			if (len < LINE) len += (size_t)snprintf(words + len, sizeof words - len, "%s%s %s", len ? ", " : "", row->name, percent(&row->utilisation, p));
		}
	}
	if (held) {
		printf("\n%zu allocator lock%s held at times, and nobody waited:\n", held, held == 1 ? " was" : "s were");
		wrap(words, columns, 2);
	}
	if (never) printf("\n%zu allocator lock%s never seen held or waited for\n", never, never == 1 ? " was" : "s were");
}

/* Worth a paragraph, or only a word: by its share of all that allocator locks cost. */
static int matters(const struct lock_report *l, const struct lock_row *row)
{
	return !(row->lost_s_per_s.source && l->allocator_lost > 0) || row->lost_s_per_s.value >= 0.02 * l->allocator_lost;
}

static void allocator_locks(const struct locks_reading *r, unsigned columns, unsigned limit)
{
	const struct lock_report *l = r->report;
	size_t shown = 0, n = 0, left = 0;
	char words[LINE * 2] = "", lost[UNITS_MAX];
	size_t len = 0;

	for (; n < l->nrows && *l->row[n].allocator; n++) {
		const struct lock_row *row = &l->row[n];
		if (!waited_for(row)) continue;
		if ((!limit || shown < limit) && matters(l, row)) {
			allocator_lock(r, row, columns, limit);
			shown++;
		} else if (left++ < limit || !limit) {
			if (len < LINE) len += (size_t)snprintf(words + len, sizeof words - len, "%s%s %s", len ? ", " : "", row->name, row->lost_s_per_s.source ? number(row->lost_s_per_s.value, lost) : "-");
		}
	}
	if (!n) puts("\nno lock of an allocator was found");
	if (left) printf("\n%zu more allocator lock%s waited for, less (thread-seconds a second):\n", left, left == 1 ? " was" : "s were");
	if (left) wrap(words, columns, 2);
	quiet_locks(l, columns, limit);
}

/* ---- the other futexes ---- */

static void other(const struct locks_reading *r, const struct lock_row *row, unsigned columns)
{
	char lost[64], waits[UNITS_MAX], eagain[16] = "-", stack[LINE] = "", buf[LINE * 2], address[24];

	snprintf(address, sizeof address, "0x%" PRIx64, row->addr);
	if (row->nstacks) locks_stack(r->symbols, &row->stack[0], stack, sizeof stack);
	if (row->eagain.source) snprintf(eagain, sizeof eagain, "%.0f%%", 100 * row->eagain.value);
	figure(&row->lost_s_per_s, lost);
	snprintf(buf, sizeof buf, "  %-14s  %-5s  %s%*s  %5s  %4s  %s", address, row->use == LOCK_USE_LOCK ? "lock" : "event", lost, plain_width(lost) < 11 ? 11 - (int)plain_width(lost) : 0, "",
	         row->waits_per_s.source ? units_count(row->waits_per_s.value, waits) : "-", eagain, stack);
	puts(plain_cut(buf, columns));
}

static void others(const struct locks_reading *r, unsigned columns, unsigned limit)
{
	const struct lock_report *l = r->report;
	size_t first = 0, shown = 0;

	while (first < l->nrows && *l->row[first].allocator) first++;
	if (first == l->nrows) return;
	puts("\nnot the allocator");
	puts("  futex           use    lost/s       waits/s  at once  from");
	for (size_t i = first; i < l->nrows && (!limit || shown < limit); i++, shown++) other(r, &l->row[i], columns);
	if (first + shown < l->nrows) printf("  and %zu more\n", l->nrows - first - shown);
}

/* ---- the whole ---- */

/* What is missing is said whole, however long; the first line has begun already. */
static void sentence(const char *s, unsigned columns)
{
	size_t len = strlen(s), cut = len, room = columns - 20;

	if (len > room) for (cut = room; cut > 20 && s[cut] != ' '; cut--);
	printf("%.*s\n", (int)cut, s);
	while (s[cut] == ' ') cut++;
	wrap(s + cut, columns, 20);
}

static void sources(const struct lock_report *l, unsigned columns)
{
	puts("\nsources");
	for (size_t i = 0; i < l->nnotices; i++) {
		const struct lock_notice *n = &l->notice[i];
		char buf[LINE];
		snprintf(buf, sizeof buf, "%s%s", n->state == LOCK_REFUSED ? "not used: " : "", n->text);
		plain_text(buf);
		printf("  %-17s ", n->source);
		sentence(buf, columns);
	}
	if (l->pauses) printf("  %u stop%s of a thread for its stack: median %.0f µs, longest %.0f µs\n", l->pauses, l->pauses == 1 ? "" : "s", l->pause_median_us, l->pause_max_us);
}

/* Of the lock that costs most: rows are in that order. */
static const char *lost_source(const struct lock_report *l) { return l->nrows ? l->row[0].lost_s_per_s.source : NULL; }

/* What the cost is made of, when it is not the waiting alone; and what is missing from it. */
static void cost(const struct lock_report *l, unsigned columns)
{
	struct lock_figure waiting = { l->allocator_lost, l->allocator_error, lost_source(l) };
	char a[64], b[64], words[LINE];

	if (!l->waking.source) {
		if (waiting.value > 0) puts("not in it: what waking others costs (cpu-clock would tell)");
		return;
	}
	if (l->waking.value + l->spinning.value < 0.005) return;
	snprintf(words, sizeof words, "%s threads", figure(&waiting, a));
	line(columns, "waiting", words, waiting.source);
	snprintf(words, sizeof words, "%s threads, and %s about to wait", figure(&l->waking, a), figure(&l->spinning, b));
	line(columns, "waking", words, l->waking.source);
	if (l->delay_factor > 1.05) {
		snprintf(words, sizeof words, "its threads run 1 second of %.1f that they could", l->delay_factor);
		line(columns, "", words, l->waking.source);
	}
}

static void summary(const struct lock_report *l, unsigned columns)
{
	char a[UNITS_MAX], b[UNITS_MAX];

	putchar('\n');
	if (l->exited) printf("the process exited after %.1f s\n", l->period_s);
	if (l->allocator_lost < 0) {
		printf("what allocator locks cost could not be told\n");
		return;
	}
	cost(l, columns);
	printf("allocator locks cost %s of %u threads (±%s); ", number(l->cost, a), l->threads, number(l->cost_error, b));
	if (l->all_lost > 0) printf("%.0f%% of all lock waiting\n", 100 * l->allocator_lost / l->all_lost);
	else puts("no waiting for any lock was seen");
}

void locks_text(const struct locks_reading *r, unsigned columns, unsigned limit)
{
	const struct lock_report *l = r->report;
	char label[PROC_LABEL];

	if (columns < 40) columns = 40;
	printf("%s, %s: %u thread%s, watched for %.1f s\n", r->program, proc_label(r->target->pid, r->target->proc.inner_pid, label), l->threads, l->threads == 1 ? "" : "s", l->period_s);
	allocator_locks(r, columns, limit);
	locks_calls_text(r, columns, limit);
	others(r, columns, limit);
	sources(l, columns);
	summary(l, columns);
}
