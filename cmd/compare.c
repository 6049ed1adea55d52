/* compare.c: alloctop compare: one command under several allocators, environments or builds, in turn, again and again, and what differs. */
#include "cmd/compare.h"

#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/compare_run.h"
#include "cmd/compare_variant.h"
#include "cmd/program.h"
#include "inspect/model/ranks.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { ROUNDS_MAX = 1000 };
static const double service_timeout_s = 600, ready_timeout_s = 60;

struct compare_options {
	unsigned rounds, warmup;
	const char *allocators, *preload[OPTION_LIST_MAX + 1], *env[OPTION_LIST_MAX + 1], *vs[OPTION_LIST_MAX + 1];
	const char *serve, *load, *ready, *input, *format;
	double timeout;
	int show, ignore_failure, no_trace;
};

const struct compare_title compare_titles[COMPARE_FIGURES] = {
	[COMPARE_ELAPSED] = { "elapsed_s", "elapsed", COMPARE_SECONDS },
	[COMPARE_USER] = { "user_s", "user", COMPARE_SECONDS },
	[COMPARE_SYSTEM] = { "system_s", "system", COMPARE_SECONDS },
	[COMPARE_VOLUNTARY] = { "voluntary_switches", "voluntary", COMPARE_COUNT },
	[COMPARE_INVOLUNTARY] = { "involuntary_switches", "involuntary", COMPARE_COUNT },
	[COMPARE_PEAK] = { "peak_rss_bytes", "peak RSS", COMPARE_BYTES },
	[COMPARE_FINAL] = { "final_rss_bytes", "final RSS", COMPARE_BYTES },
	[COMPARE_MINOR] = { "minor_faults", "minor flt", COMPARE_COUNT },
	[COMPARE_MAJOR] = { "major_faults", "major flt", COMPARE_COUNT },
};

double *compare_column(const struct compare_variant *v, enum compare_figure f)
{
	double *out = xcalloc(v->nruns + 1, sizeof *out);

	for (unsigned i = 0; i < v->nruns; i++) out[i] = v->run[i].figure[f];
	return out;
}

void compare_note(struct compare_variant *v, const char *text)
{
	size_t n = strlen(v->note);

	if (!strstr(v->note, text)) snprintf(v->note + n, sizeof v->note - n, "%s%s", n ? "; " : "", text);
}

static double median(const struct compare_variant *v, enum compare_figure f)
{
	double *x = compare_column(v, f), m = ranks_spread(x, v->nruns).median;

	free(x);
	return m;
}

double compare_ratio(const struct comparison *c, const struct compare_variant *v, enum compare_figure f)
{
	double base = median(c->variant, f);

	return base > 0 ? median(v, f) / base : NAN;
}

double compare_p(const struct comparison *c, const struct compare_variant *v, enum compare_figure f)
{
	double *a = compare_column(c->variant, f), *b = compare_column(v, f);
	double p = ranks_p(a, c->variant->nruns, b, v->nruns);

	free(a);
	free(b);
	return p;
}

/* What serves the program is known from its first run on. A variant by default that is nothing else than what was there is left out. */
static void settle(struct comparison *c, struct compare_variant *v, const struct look_allocator *seen)
{
	v->use = seen->use;
	snprintf(v->allocator, sizeof v->allocator, "%s", seen->name);
	snprintf(v->owner, sizeof v->owner, "%s", seen->owner);
	if (seen->use == COMPARE_UNUSED && !(v->any && seen->loaded)) v->skipped = xstrdup(seen->why);
	else if (seen->use != COMPARE_USED && *seen->why) compare_note(v, seen->why);
	if (v != c->variant || v->use != COMPARE_USED) return;
	for (size_t i = 1; i < c->n; i++) {
		struct compare_variant *x = &c->variant[i];
		char *real = x->library && x->by_default && !x->skipped ? realpath(x->library, NULL) : NULL;
		if (real && !strcmp(basename(real), v->owner)) x->skipped = xstrdup("this is what it uses as it is");
		free(real);
	}
}

/* Is there anything to be compared? Else *e says why there is not: once, where the reason is the same for all. */
static int check_any(const struct comparison *c, struct err *e)
{
	char reasons[400] = "";
	int same = 1;

	for (size_t i = 1; i < c->n; i++) {
		if (!c->variant[i].skipped) return 0;
		same &= !strcmp(c->variant[i].skipped, c->variant[1].skipped);
	}
	for (size_t i = 1; i < c->n && (i == 1 || !same); i++) {
		const struct compare_variant *v = &c->variant[i];
		size_t len = strlen(reasons);
		snprintf(reasons + len, sizeof reasons - len, "%s%s%s%s", len ? "; " : "", same ? "" : v->name, same ? "" : ": ", v->skipped);
	}
	return err_set(e, ERR_UNSUPPORTED, "compare: nothing to compare %.60s with: %s", c->variant->argv[0], reasons);
}

static void progress(const struct comparison *c, unsigned round, const struct compare_variant *v)
{
	if (!isatty(STDERR_FILENO)) return;
	if (!v) fputs("\r\033[K", stderr);
	else if (round < c->warmup) fprintf(stderr, "\r\033[Kwarm-up: %s", v->name);
	else fprintf(stderr, "\r\033[Kround %u of %u: %s", round - c->warmup + 1, c->rounds, v->name);
}

static int run_once(struct comparison *c, const struct run_order *o, unsigned round, struct compare_variant *v, int first, struct err *e)
{
	struct look_allocator seen = { .use = COMPARE_UNSEEN };
	struct compare_run r;
	int bad;

	progress(c, round, v);
	bad = (o->load ? run_service : run_command)(o, v, round < c->warmup, &r, first ? &seen : NULL, e);
	if (bad) return -1;
	if (first) settle(c, v, &seen);
	if (round < c->warmup || v->skipped) return 0;
	v->run = xreallocarray(v->run, v->nruns + 1, sizeof *v->run);
	v->run[v->nruns++] = r;
	return 0;
}

/* In turn, each round beginning with another one: what the machine does meanwhile, it does to all. The first round begins with the first,
   as what serves that one decides about others. */
static int run_all(struct comparison *c, const struct run_order *o, struct err *e)
{
	int *seen = xcalloc(c->n, sizeof *seen), bad = 0;

	for (unsigned round = 0; round < c->warmup + c->rounds && !bad; round++) {
		for (size_t k = 0; k < c->n && !bad; k++) {
			size_t i = (k + round) % c->n;
			if (c->variant[i].skipped) continue;
			bad = run_once(c, o, round, &c->variant[i], !seen[i], e);
			seen[i] = 1;
		}
		if (!round && !bad) bad = check_any(c, e);
	}
	progress(c, 0, NULL);
	free(seen);
	return bad;
}

/* Interrupted: the rounds that are complete count. */
static int keep_complete(struct comparison *c, struct err *e)
{
	unsigned least = c->rounds;

	for (size_t i = 0; i < c->n; i++)
		if (!c->variant[i].skipped && c->variant[i].nruns < least) least = c->variant[i].nruns;
	for (size_t i = 0; i < c->n; i++)
		if (c->variant[i].nruns > least) c->variant[i].nruns = least;
	return least ? 0 : err_set(e, ERR_FAIL, "compare: interrupted before the first round was complete");
}

static const struct compare_format *const formats[] = { &compare_text, &compare_markdown, &compare_json, &compare_csv, NULL };

static const char *format_word(size_t i) { return formats[i] ? formats[i]->name : NULL; }

static int write_out(const struct comparison *c, const char *format, struct err *e)
{
	for (const struct compare_format *const *f = formats; *f; f++)
		if (!strcmp((*f)->name, format)) return (*f)->write(c, stdout, e);
	return err_set(e, ERR_USAGE, "compare: no format '%s'", format);
}

static int check(const struct compare_options *o, int argc, struct err *e)
{
	if (o->serve && argc) return err_set(e, ERR_USAGE, "compare: either --serve or a command, not both");
	if (!o->serve && !argc) return err_set(e, ERR_USAGE, "compare: no command (see: alloctop compare --help)");
	if (!o->serve != !o->load) return err_set(e, ERR_USAGE, "compare: --serve and --load belong together");
	if (o->ready && !o->serve) return err_set(e, ERR_USAGE, "compare: --ready belongs to --serve");
	if (!o->rounds || o->rounds > ROUNDS_MAX) return err_set(e, ERR_USAGE, "compare: --rounds takes 1 to %d", ROUNDS_MAX);
	if (o->warmup > ROUNDS_MAX) return err_set(e, ERR_USAGE, "compare: --warmup takes 0 to %d", ROUNDS_MAX);
	if (o->timeout >= 0 && !(o->timeout > 0)) return err_set(e, ERR_USAGE, "compare: --timeout takes a time above 0");
	if (o->input && access(o->input, R_OK)) {
		err_sys(e, errno, "compare: --input %s", o->input);
		if (e->kind == ERR_GONE) e->kind = ERR_FAIL;
		return -1;
	}
	return 0;
}

/* A command that is not there is told before anything is run. */
static int check_programs(const struct comparison *c, struct err *e)
{
	for (size_t i = 0; i < c->n; i++) {
		char *file = program_find(c->variant[i].argv[0]);
		int there = file && program_is(file);
		free(file);
		if (!there) return err_set(e, ERR_FAIL, "compare: no program '%s' can be executed", c->variant[i].argv[0]);
	}
	return 0;
}

static int compare(struct comparison *c, const struct compare_options *o, struct run_order *ro, char **argv, struct err *e)
{
	struct variant_order vo = { .argv = argv, .allocators = o->allocators, .preload = o->preload, .env = o->env, .vs = o->vs };
	char **service = NULL;
	int bad = 0;

	if (o->serve) {
		if (!(vo.argv = service = variant_words(o->serve, e)) || !(ro->load = variant_words(o->load, e))) bad = -1;
		if (!bad && o->ready && !(ro->ready = variant_words(o->ready, e))) bad = -1;
	}
	if (!bad) bad = variants_make(c, &vo, e) || check_programs(c, e) || check_any(c, e) ? -1 : 0;
	variant_words_free(service);
	if (bad) return -1;
	process_begin();
	bad = run_all(c, ro, e);
	c->interrupted = process_interrupted();
	process_over();
	if (c->interrupted) bad = keep_complete(c, e);
	return bad ? -1 : write_out(c, o->format, e);
}

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct compare_options *o = options;
	struct comparison c = { .rounds = o->rounds, .warmup = o->warmup, .service = o->serve != NULL };
	struct run_order ro = { .input = o->input, .timeout = o->timeout, .show = o->show, .ignore_failure = o->ignore_failure, .no_trace = o->no_trace };

	if (check(o, argc, e)) return -1;
	ro.ready_timeout = o->timeout < 0 ? ready_timeout_s : o->timeout;
	if (o->serve && ro.timeout < 0) ro.timeout = service_timeout_s;
	int bad = compare(&c, o, &ro, argv, e);
	variants_free(&c);
	variant_words_free(ro.load);
	variant_words_free(ro.ready);
	return bad;
}

#define ROW(letter, name, type, member, argument, help, choice) { letter, name, type, offsetof(struct compare_options, member), argument, help, choice }

static const struct option_row options[] = {
	ROW('n', "rounds", OPTION_COUNT, rounds, "N", "runs of each variant (5)", NULL),
	ROW('w', "warmup", OPTION_COUNT, warmup, "N", "rounds before them that do not count (1)", NULL),
	ROW('a', "allocator", OPTION_WORDS, allocators, "LIST", "only these beside the command as it is", variant_word),
	ROW('p', "preload", OPTION_LIST, preload, "FILE", "another library to preload; may be repeated", NULL),
	ROW('e', "env", OPTION_LIST, env, "NAME=VALUE", "a variant with this in its environment; may be repeated", NULL),
	ROW(0, "vs", OPTION_LIST, vs, "CMD", "another command to compare with; may be repeated", NULL),
	ROW('s', "serve", OPTION_STRING, serve, "CMD", "compare a service: it is started, loaded and stopped", NULL),
	ROW('l', "load", OPTION_STRING, load, "CMD", "what loads it; its time is what elapsed", NULL),
	ROW('r', "ready", OPTION_STRING, ready, "CMD", "succeeds as soon as the service is ready (when it listens)", NULL),
	ROW('t', "timeout", OPTION_SECONDS, timeout, "TIME", "a run that takes longer has failed (never; of a load, 10m)", NULL),
	ROW('i', "input", OPTION_STRING, input, "FILE", "standard input of each run (nothing)", NULL),
	ROW('o', "show-output", OPTION_FLAG, show, NULL, "let what it prints through, to standard error", NULL),
	ROW('I', "ignore-failure", OPTION_FLAG, ignore_failure, NULL, "a status other than 0 is no failure", NULL),
	ROW(0, "no-trace", OPTION_FLAG, no_trace, NULL, "never stop it in a round that counts: no final RSS", NULL),
	ROW('F', "format", OPTION_STRING, format, "FORMAT", "how to write it", format_word),
	{ 0 },
};

static const struct compare_options defaults = { .rounds = 5, .warmup = 1, .timeout = -1, .format = "text" };

const struct cmd cmd_compare = {
	.name = "compare",
	.summary = "Run a command under several allocators, and tell what differs",
	.arguments = "-- CMD [ARG...]",
	.options = options,
	.options_size = sizeof(struct compare_options),
	.defaults = &defaults,
	.in_order = 1,
	.run = run,
};
