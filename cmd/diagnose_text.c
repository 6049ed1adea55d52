/* diagnose_text.c: a verdict for people: a line of what it is, the lines of what to do, broken between words. */
#include "cmd/diagnose.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/plain.h"
#include "inspect/model/units.h"
#include "inspect/target/proc.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/rule.h"
#include "inspect/verdict/verdict.h"

enum { TEXT = 2048, LABEL = 10 };

/* Words from column `at` on, further lines from column `hang` on. A word that is longer than a line stands out: it may be meant to be copied. */
static void wrap(const char *words, unsigned at, unsigned hang, unsigned columns)
{
	char word[TEXT];
	unsigned start = at;

	for (const char *p = words; *p;) {
		size_t n = strcspn(p, " ");
		snprintf(word, sizeof word, "%.*s", (int)n, p);
		size_t width = plain_width(word);
		if (at > start && at + 1 + width > columns) {
			printf("\n%*s", (int)hang, "");
			at = start = hang;
		}
		printf("%s%s", at > start ? " " : "", word);
		at += (unsigned)width + (at > start);
		p += n + strspn(p + n, " ");
	}
	putchar('\n');
}

static void labelled(const char *label, const char *words, unsigned columns)
{
	printf("   %-*s", LABEL, label);
	wrap(words, 3 + LABEL, 3 + LABEL, columns);
}

static void finding(const struct finding *f, unsigned number, unsigned columns)
{
	char head[TEXT];

	snprintf(head, sizeof head, "%s (%s)", f->headline, finding_certainty_name(f->certainty));
	unsigned at = (unsigned)printf("%u. %s  ", number, f->rule->kind);
	wrap(head, at, 3 + LABEL, columns);
	for (enum finding_part p = 0; p < FINDING_PARTS; p++)
		for (size_t i = 0, first = 1; i < f->nlines; i++)
			if (f->line[i].part == p) labelled(first ? finding_part_name(p) : "", f->line[i].text, columns), first = 0;
	snprintf(head, sizeof head, "alloctop diagnose --explain %s", f->rule->name);
	labelled("why", head, columns);
	putchar('\n');
}

/* "glibc 2.36 + jemalloc 5.3.0" */
static void allocators(const struct facts *f, char *buf, size_t n)
{
	size_t at = 0;
	int used = 0;

	snprintf(buf, n, "no known allocator");
	for (size_t i = 0; i < f->heap.nallocators; i++) used |= f->heap.allocator[i].in_use;
	for (size_t i = 0; i < f->heap.nallocators && at < n; i++) {
		const struct heap_allocator *a = &f->heap.allocator[i];
		if (a->in_use == used) at += (size_t)snprintf(buf + at, n - at, "%s%s%s%s", at ? " + " : "", a->name, *a->version ? " " : "", a->version);
	}
}

/* What was seen, whatever the verdict. */
static void figures(const struct facts *f, unsigned columns)
{
	const struct facts_moment *m = &f->series[f->nseries - 1];
	char a[UNITS_MAX], b[UNITS_MAX], words[TEXT];
	size_t at = 0;
	double free = facts_ledger(f, "", "free"), faults = facts_rate(f, offsetof(struct facts_moment, minor_faults));

	at += (size_t)snprintf(words, sizeof words, "RSS %s", units_bytes(facts_rss(f), a));
	if (!isnan(m->live)) at += (size_t)snprintf(words + at, sizeof words - at, ", live %s (%s)", units_bytes(m->live, a), f->live_source ? f->live_source : "ledger");
	if (!isnan(free)) at += (size_t)snprintf(words + at, sizeof words - at, ", free and resident %s", units_bytes(free, b));
	if (f->heap_group.known) snprintf(words + at, sizeof words - at, ", not malloc's %s", units_bytes(facts_ledger(f, NULL, ""), a));
	labelled("memory", words, columns);
	at = (size_t)snprintf(words, sizeof words, "%u on %u processor%s", f->threads, f->cpus, f->cpus == 1 ? "" : "s");
	if (f->locks_group.known && f->locks.allocator_lost >= 0)
		at += (size_t)snprintf(words + at, sizeof words - at, ", waiting for the allocator %.3f thread-seconds a second", f->locks.allocator_lost);
	if (!isnan(faults)) snprintf(words + at, sizeof words - at, ", %s page faults/s", units_count(faults, a));
	labelled("threads", words, columns);
	if (f->agent_group.known) {
		snprintf(words, sizeof words, "%s allocated a second, sampled every %s, %s%s%s", isnan(f->alloc_bytes_per_s) ? "?" : units_bytes(f->alloc_bytes_per_s, a),
		         units_bytes(f->sample_rate, b), f->agent_attached ? "since attach, " : "for ", units_seconds(f->agent_age_s, (char[UNITS_MAX]){ 0 }),
		         f->agent_attached ? " ago" : "");
		labelled("agent", words, columns);
	}
}

/* A rule each, but those that miss the same thing share the words. */
static void missing(const struct diagnose_reading *r, unsigned columns)
{
	const struct verdict *v = r->verdict;

	if (v->nmissing) puts("not judged");
	for (size_t i = 0; i < v->nmissing; i++) {
		char words[TEXT];
		size_t k, at = 0;
		for (k = 0; k < i && strcmp(v->missing[k].headline, v->missing[i].headline); k++) ;
		if (k < i) continue;
		for (k = i; k < v->nmissing && at < sizeof words; k++)
			if (!strcmp(v->missing[k].headline, v->missing[i].headline)) at += (size_t)snprintf(words + at, sizeof words - at, "%s%s", at ? ", " : "", v->missing[k].rule->name);
		if (at < sizeof words) snprintf(words + at, sizeof words - at, ": %s", v->missing[i].headline);
		printf("   ");
		wrap(words, 3, 3 + LABEL, columns);
	}
}

static void not_read(const char *what, const struct facts_group *g, unsigned columns)
{
	char words[TEXT];

	if (g->known) return;
	snprintf(words, sizeof words, "%s: %s", what, g->why);
	labelled("not read", words, columns);
}

void diagnose_text(const struct diagnose_reading *r, unsigned columns)
{
	const struct facts *f = r->facts;
	const struct verdict *v = r->verdict;
	char who[256], label[PROC_LABEL];
	const char *libc = f->id.libc == FACTS_MUSL ? "musl" : f->id.libc == FACTS_GLIBC ? "glibc" : "";

	allocators(f, who, sizeof who);
	printf("%s, %s  %s%s%s%s  watched for %.1f s%s\n", f->id.program, proc_label(f->id.pid, f->id.inner_pid, label), who, *libc && !strstr(who, libc) ? " in " : "", strstr(who, libc) ? "" : libc,
	       f->id.is_static ? ", static" : "", f->watch_s, f->exited ? ", then it ended" : "");
	figures(f, columns);
	not_read("heap", &f->heap_group, columns);
	not_read("locks", &f->locks_group, columns);
	putchar('\n');
	for (size_t i = 0; i < v->nfindings; i++) finding(&v->finding[i], (unsigned)i + 1, columns);
	if (!v->nfindings && f->heap_group.known && f->locks_group.known) puts("healthy: nothing is wrong that memory allocation explains\n");
	else if (!v->nfindings) puts("nothing was found in what could be read\n");
	missing(r, columns);
}

void diagnose_list(void)
{
	for (const struct rule *const *r = rules; *r; r++) printf("%-22s %-14s %s\n", (*r)->name, (*r)->kind, (*r)->title);
}

void diagnose_explain(const struct rule *r, unsigned columns)
{
	printf("%s  %s: %s\n\n", r->kind, r->name, r->title);
	wrap(r->explanation, 0, 0, columns);
	printf("\nthreshold  ");
	wrap(r->threshold, 11, 11, columns);
	printf("source     ");
	wrap(r->source, 11, 11, columns);
}
