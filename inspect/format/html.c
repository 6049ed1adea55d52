/* html.c: one self-contained page with an interactive flame graph: no network, no library, its policy forbids both. The page, its
 * style and its script are files in html/, put into the binary as they are. All names are a target's: in the data they are JSON
 * strings without '<', '>' or '&', so that no name can end the script element; the script shows them as text only.
 *
 * The page is a template: {{title}}, {{style}}, {{data}} and {{script}} are replaced, once each. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect/format/format.h"
#include "inspect/format/whole.h"
#include "inspect/model/plain.h"
#include "inspect/model/profile.h"
#include "inspect/model/units.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "inspect/target/xalloc.h"

/* The path is relative to where the compiler runs: the root of the tree. */
#define ASSET(name, path) \
	__asm__(".pushsection .rodata\n" \
	        ".hidden " #name "\n.globl " #name "\n" #name ":\n.incbin \"" path "\"\n.byte 0\n" \
	        ".popsection\n"); \
	extern const char name[] __attribute__((visibility("hidden")));

ASSET(html_page, "inspect/format/html/page.html")
ASSET(html_style, "inspect/format/html/style.css")
ASSET(html_script, "inspect/format/html/flame.js")

struct page {
	FILE *out;
	const struct profile *p;
	const struct format_options *o;
	uint32_t *frame;                /* by function: index of its frame; by location after them: of one without a name */
};

/* As a JSON string that may stand inside a script element. */
static void put_string(FILE *out, const char *s)
{
	char *copy = plain_text(xstrdup(s));
	putc('"', out);
	for (const char *c = copy; *c; c++) {
		if (strchr("<>&\"\\", *c)) fprintf(out, "\\u%04x", (unsigned char)*c);
		else putc(*c, out);
	}
	putc('"', out);
	free(copy);
}

static void put_member(FILE *out, const char *name, const char *s)
{
	fprintf(out, "\"%s\":", name);
	put_string(out, s);
}

static char *title_of(const struct page *g)
{
	const struct profile *p = g->p;
	const char *program = *p->program ? p->program : "profile";
	char label[PROC_LABEL];
	if (g->o->title) return xstrdup(g->o->title);
	return p->pid ? xasprintf("%s, %s", program, proc_label(p->pid, p->inner_pid, label)) : xstrdup(program);
}

static void put_title(const struct page *g)
{
	char *title = title_of(g);
	for (const char *c = plain_text(title); *c; c++) {
		if (*c == '<') fputs("&lt;", g->out);
		else if (*c == '>') fputs("&gt;", g->out);
		else if (*c == '&') fputs("&amp;", g->out);
		else putc(*c, g->out);
	}
	free(title);
}

static void put_facts(const struct page *g)
{
	const struct profile *p = g->p;
	char date[64] = "", rate[UNITS_MAX], *facts;
	time_t s = (time_t)(p->time_ns / 1000000000);
	struct tm tm;
	if (p->time_ns && gmtime_r(&s, &tm)) strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", &tm);
	if (p->period == 1) facts = xasprintf("%s%severy allocation counted", date, *date ? " · " : "");
	else if (p->period > 1 && !strcmp(p->period_type.unit, "bytes"))
		facts = xasprintf("%s%sone sample per %s allocated", date, *date ? " · " : "", units_setting((uint64_t)p->period, rate));
	else facts = xstrdup(date);
	put_member(g->out, "facts", facts);
	free(facts);
}

static void put_frame(const struct page *g, const struct profile_location *l, uint32_t i, uint32_t *n)
{
	char buf[512];
	fprintf(g->out, "%s{", *n ? ",\n" : "");
	put_member(g->out, "name", profile_name(g->p, l, i, buf, sizeof buf));
	putc(',', g->out);
	put_member(g->out, "file", i < l->nlines ? g->p->function[l->line[i].function].file : "");
	putc(',', g->out);
	put_member(g->out, "module", g->p->mapping[l->mapping].path);
	putc('}', g->out);
	++*n;
}

/* A function is one frame wherever it is called from; its module is that of its first location. */
static void put_frames(struct page *g)
{
	const struct profile *p = g->p;
	uint32_t n = 0;
	for (size_t k = 1; k < p->nlocations; k++) {
		const struct profile_location *l = &p->location[k];
		for (uint32_t i = 0; i < (l->nlines ? l->nlines : 1); i++) {
			uint32_t *index = &g->frame[l->nlines ? l->line[i].function : p->nfunctions + k];
			if (*index != UINT32_MAX) continue;
			*index = n;
			put_frame(g, l, i, &n);
		}
	}
}

static void put_sample(const struct page *g, size_t index, int64_t *const *value)
{
	const struct profile *p = g->p;
	const struct profile_sample *s = &p->sample[index];
	int any = 0;
	fputs("{\"stack\":[", g->out);
	for (uint32_t k = s->nlocs; k-- > 0;) {
		const struct profile_location *l = &p->location[s->loc[k]];
		for (uint32_t i = l->nlines ? l->nlines : 1; i-- > 0; any = 1) {
			uint32_t frame = g->frame[l->nlines ? l->line[i].function : p->nfunctions + s->loc[k]];
			fprintf(g->out, "%s%u,%u", any ? "," : "", frame, l->nlines ? l->line[i].line : 0);
		}
	}
	fputs("],\"values\":[", g->out);
	for (unsigned t = 0; t < p->ntypes; t++) fprintf(g->out, "%s%lld", t ? "," : "", (long long)value[t][index]);
	fputs("],\"variances\":[", g->out);
	for (unsigned t = 0; t < p->ntypes; t++)
		fprintf(g->out, "%s%.4g", t ? "," : "", isfinite(s->variance[t]) ? s->variance[t] : 0);
	fputs("]}", g->out);
}

static void put_samples(const struct page *g)
{
	const struct profile *p = g->p;
	int64_t *value[PROFILE_TYPES_MAX];
	const char *comma = "";
	for (unsigned t = 0; t < p->ntypes; t++) value[t] = whole_values(p, t);
	for (size_t i = 0; i < p->nsamples; i++) {
		int64_t any = 0;
		for (unsigned t = 0; t < p->ntypes; t++) any |= value[t][i];
		if (!any) continue;
		fputs(comma, g->out);
		put_sample(g, i, value);
		comma = ",\n";
	}
	for (unsigned t = 0; t < p->ntypes; t++) free(value[t]);
}

static void put_data(struct page *g)
{
	const struct profile *p = g->p;
	FILE *out = g->out;
	char *title = title_of(g);
	putc('{', out);
	put_member(out, "title", title);
	free(title);
	putc(',', out);
	put_facts(g);
	fputs(",\n\"types\":[", out);
	for (unsigned t = 0; t < p->ntypes; t++) {
		fputs(t ? ",{" : "{", out);
		put_member(out, "name", p->type[t].name);
		putc(',', out);
		put_member(out, "unit", p->type[t].unit);
		putc('}', out);
	}
	fprintf(out, "],\n\"default\":%u,\n\"frames\":[", profile_type_index(p, g->o->type));
	put_frames(g);
	fputs("],\n\"samples\":[", out);
	put_samples(g);
	fputs("],\n\"notes\":[", out);
	for (size_t i = 0; i < p->ncomments; i++) {
		if (i) putc(',', out);
		put_string(out, p->comment[i]);
	}
	fputs("]}", out);
}

static void put_marker(struct page *g, const char *name, size_t n)
{
	if (n == 5 && !memcmp(name, "title", n)) put_title(g);
	else if (n == 5 && !memcmp(name, "style", n)) fputs(html_style, g->out);
	else if (n == 6 && !memcmp(name, "script", n)) fputs(html_script, g->out);
	else if (n == 4 && !memcmp(name, "data", n)) put_data(g);
}

static int html_write(const struct format *f, FILE *out, const struct profile *p, const struct format_options *o, struct err *e)
{
	(void)f;
	(void)e;
	struct page g = { .out = out, .p = p, .o = o };
	size_t n = p->nfunctions + p->nlocations;
	g.frame = xcalloc(n, sizeof *g.frame);
	memset(g.frame, 0xff, n * sizeof *g.frame);
	const char *at = html_page, *open, *close;
	while ((open = strstr(at, "{{")) && (close = strstr(open, "}}"))) {
		fwrite(at, 1, (size_t)(open - at), out);
		put_marker(&g, open + 2, (size_t)(close - open - 2));
		at = close + 2;
	}
	fputs(at, out);
	free(g.frame);
	return 0;
}

const struct format format_html = {
	.name = "html",
	.summary = "one page with an interactive flame graph",
	.suffix = "html",
	.to_terminal = 0,
	.write = html_write,
};
