/* dump.c: alloctop dump: from a snapshot to a profile, and the profile to a file in one of the formats. */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/wire.h"
#include "cmd/attaching.h"
#include "cmd/locks.h"
#include "cmd/output.h"
#include "cmd/pid.h"
#include "cmd/place.h"
#include "cmd/screen.h"
#include "cmd/source.h"
#include "cmd/stat.h"
#include "inspect/attach/attach.h"
#include "inspect/client/agent.h"
#include "inspect/format/format.h"
#include "inspect/model/profile.h"
#include "inspect/model/units.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

#define RATE_MAX (1ULL << 40)

struct dump_options {
	const char *file, *format, *profile, *type, *segment, *diff, *labels;
	double seconds;
	uint64_t rate;
	int raw, no_inlines, attach;
	unsigned limit;
};

/* What was taken, for the summary. */
struct taken {
	struct profile *profile;
	double live_error;
	size_t stacks;
	uint64_t realtime_ns;
	char losses[512], since[48];
	int difference;
	struct err detach;      /* why it could not be detached from; kind 0 unless so */
};

static const double attached_s = 30;    /* without --for */

static const uint64_t default_rate = 512 << 10;

static unsigned label_flags(const char *words)
{
	unsigned flags = 0;

	if (words && strstr(words, "thread")) flags |= PROFILE_LABEL_THREAD;
	if (words && strstr(words, "size")) flags |= PROFILE_LABEL_SIZE;
	return flags;
}

/* A snapshot as a profile, symbolised unless --raw. NULL with *e. */
static struct profile *convert(const struct source *src, const struct snapshot *snap, const struct dump_options *o, struct taken *t, struct err *e)
{
	enum profile_kind kind = strcmp(o->profile, "allocs") ? PROFILE_HEAP : PROFILE_ALLOCS;
	struct symbolizer *symbols = source_symbols(src, snap, o->no_inlines, e);
	char age[UNITS_MAX];

	if (!symbols) return NULL;
	struct profile *p = profile_of_snapshot(snap, kind, label_flags(o->labels), src->program);
	if (!o->raw) profile_symbolise(p, symbols);
	symbol_close(symbols);
	/* of a difference the errors add up, as the moments are taken to be independent */
	t->live_error = hypot(t->live_error, sqrt(snap->live_variance));
	t->realtime_ns = snap->realtime_ns;
	t->stacks = 0;
	for (size_t i = 0; i < snap->nsites; i++) t->stacks += snap->site[i].live_samples > 0;
	if (snap->flags & WIRE_ATTACHED) snprintf(t->since, sizeof t->since, ", since attach, %s ago", units_seconds(snap->age_s, age));
	source_losses(snap, t->losses, sizeof t->losses);
	return p;
}

static struct profile *take(struct source *src, const struct dump_options *o, struct taken *t, struct err *e)
{
	struct snapshot snap;

	if (source_snapshot(src, &snap, e)) return NULL;
	struct profile *p = convert(src, &snap, o, t, e);
	snapshot_free(&snap);
	return p;
}

/* t->profile becomes t->profile - base; base is freed. */
static int subtract(struct taken *t, struct profile *base, struct err *e)
{
	struct profile *difference;
	int bad = profile_subtract(t->profile, base, &difference, e);

	profile_free(base);
	if (bad) return -1;
	profile_free(t->profile);
	t->profile = difference;
	t->difference = 1;
	return 0;
}

/* The profiles of what a process does meanwhile, watched from outside: no agent is asked. */
static int is_watched(const struct dump_options *o)
{
	return !strcmp(o->profile, "contention") || !strcmp(o->profile, "cpu") || !strcmp(o->profile, "growth");
}

static struct profile *watch(const char *operand, const struct dump_options *o, char program[64], int *pid, struct err *e)
{
	if (!strcmp(o->profile, "contention")) return locks_profile(operand, o->seconds, o->raw, o->no_inlines, program, pid, e);
	return stat_profile(operand, o->profile, o->seconds, o->raw, o->no_inlines, program, pid, e);
}

static int make_watched(struct source *src, const char *operand, const struct dump_options *o, struct taken *t, struct err *e)
{
	struct profile *base = NULL;
	int pid = 0;

	if (o->segment || o->labels) return err_set(e, ERR_USAGE, "dump: a %s profile is made of a live process, and has its own labels", o->profile);
	if (o->diff && pprof_read(o->diff, &base, e)) return -1;
	if (!(t->profile = watch(operand, o, src->program, &pid, e))) {
		profile_free(base);
		return -1;
	}
	src->pid = (pid_t)pid;
	t->realtime_ns = t->profile->time_ns;
	t->stacks = t->profile->nsamples;
	return base ? subtract(t, base, e) : 0;
}

/* ---- of a process that nobody prepared ------------------------------------------------------------------------------------------------------ */

/* What was recorded since the attach. */
static int look(struct source *src, pid_t pid, double waited, struct snapshot *snap, struct err *e)
{
	char text[UNITS_MAX];

	int bad = source_open_pid(src, pid, e) || source_snapshot(src, snap, e);
	if (bad && e->kind == ERR_UNSUPPORTED && agent_probe(pid) != AGENT_UNREADABLE)
		err_set(e, ERR_FAIL, "pid %d: nothing to dump: it has called no allocator in %s", (int)pid, units_seconds(waited, text));
	return bad ? -1 : 0;
}

/* Attached no longer than it takes: names are found afterwards. Whatever goes wrong in between, it is detached from. */
static int record(struct source *src, struct attach_plan *p, const struct dump_options *o, struct snapshot *snap, struct taken *t, struct err *e)
{
	attaching_tell(p, 0, stderr);
	if (attaching_may(p, 0, e)) return -1;
	attaching_catch();
	int bad = attaching_begin(p, stderr, e);
	if (!bad) {
		double waited = attaching_stay(p->pid, &p->options, o->seconds > 0 ? o->seconds : attached_s, stderr);
		bad = look(src, p->pid, waited, snap, e);
		/* who has gone needs no detach */
		if (!attaching_end(p->pid, stderr, &t->detach) || t->detach.kind == ERR_GONE) t->detach.kind = ERR_NONE;
		size_t n = strlen(e->text);
		if (bad && t->detach.kind) snprintf(e->text + n, sizeof e->text - n, "; nor could it be detached from: %.200s", t->detach.text);
	}
	attaching_release();
	return bad ? -1 : 0;
}

static int make_attached(struct source *src, const char *operand, const struct dump_options *o, struct taken *t, struct err *e)
{
	struct attach_options ao = { .rate = o->rate, .depth = WIRE_DEPTH_MAX };
	struct attach_plan p;
	struct snapshot snap;
	struct profile *base = NULL;
	pid_t pid;

	if (pid_resolve(operand, PID_OF_ANY, &pid, e) || (o->diff && pprof_read(o->diff, &base, e))) return -1;
	char *image = place_find("dump", "alloctop-attach.so", "ALLOCTOP_ATTACH", e);
	ao.image = image;
	int bad = image ? attach_plan(&p, pid, &ao, e) : -1;
	if (!bad) bad = record(src, &p, o, &snap, t, e);
	if (image) attach_plan_free(&p);
	free(image);
	if (!bad) {
		t->profile = convert(src, &snap, o, t, e);
		if (t->profile) t->profile->duration_ns = (int64_t)(snap.age_s * 1e9);
		snapshot_free(&snap);
	}
	if (t->profile && base) return subtract(t, base, e);
	profile_free(base);
	return t->profile ? 0 : -1;
}

/* ---- of one that has the agent, or a segment ------------------------------------------------------------------------------------------------ */

static int make(struct source *src, const struct dump_options *o, struct taken *t, struct err *e)
{
	struct profile *base = NULL;

	if (o->diff && pprof_read(o->diff, &base, e)) return -1;
	if (o->seconds > 0) {
		if (!(base = take(src, o, t, e))) return -1;
		screen_wait(o->seconds);
	}
	if (!(t->profile = take(src, o, t, e))) {
		profile_free(base);
		return -1;
	}
	if (base && subtract(t, base, e)) return -1;
	if (o->seconds > 0) t->profile->duration_ns = (int64_t)(o->seconds * 1e9);
	return 0;
}

/* PROGRAM.PID.YYYYmmdd-HHMMSS.heap.pb.gz, in the current directory. Malloc'ed. */
static char *default_name(const struct source *src, const struct dump_options *o, const struct format *f, const struct taken *t)
{
	time_t when = (time_t)(t->realtime_ns / 1000000000);
	struct tm tm;
	char stamp[32];
	int pid = src->pid ? (int)src->pid : t->profile->pid;

	if (!localtime_r(&when, &tm) || !strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &tm)) strcpy(stamp, "unknown");
	return xasprintf("%s.%d.%s.%s.%s", src->program, pid, stamp, o->profile, f->suffix);
}

static const char *type_word(size_t i)
{
	static const char *const word[] = { "alloc_objects", "alloc_space", "inuse_objects", "inuse_space", "contentions", "delay", "samples", "cpu", "faults", "growth", NULL };

	return word[i];
}

static int find_type(const struct profile *p, const char *name)
{
	for (unsigned i = 0; name && i < p->ntypes; i++)
		if (!strcmp(p->type[i].name, name)) return (int)i;
	return -1;
}

/* "12.3M ± 210K live in 321 stacks" */
static void sum_up(const char *path, const struct taken *t)
{
	char live[UNITS_MAX], error[UNITS_MAX];
	const struct profile *p = t->profile;
	int delay = find_type(p, "delay"), cpu = find_type(p, "cpu"), growth = find_type(p, "growth"), type = find_type(p, "inuse_space");
	double bytes = type < 0 ? 0 : profile_total(p, (unsigned)type);

	fprintf(stderr, "%s: ", path);
	if (delay >= 0)
		fprintf(stderr, "%.3g thread-seconds of waiting for locks in %zu stacks\n", profile_total(p, (unsigned)delay) * 1e-9, t->stacks);
	else if (cpu >= 0)
		fprintf(stderr, "%.3g processor-seconds in the allocator in %zu stacks\n", profile_total(p, (unsigned)cpu) * 1e-9, t->stacks);
	else if (growth >= 0)
		fprintf(stderr, "%s by page faults in %zu stacks\n", units_bytes(profile_total(p, (unsigned)growth), live), t->stacks);
	else
		fprintf(stderr, "%s%s ± %s %s in %zu stacks%s\n", t->difference && bytes > 0 ? "+" : "", units_bytes(bytes, live), units_bytes(t->live_error, error),
		        t->difference ? "live bytes, a difference," : "live", t->stacks, t->difference ? "" : t->since);
}

/* That, and what to do with the file. To stderr: data alone goes to stdout. */
static void summarise(const char *path, const struct format *f, const struct taken *t)
{
	static const struct { const char *format, *how; } open[] = {
		{ "pprof", "go tool pprof -http=: %s" },
		{ "html", "xdg-open %s" },
		{ "folded", "flamegraph.pl %s >flame.svg" },
	};

	if (strcmp(path, "-")) {
		sum_up(path, t);
		for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
			if (strcmp(f->name, open[i].format)) continue;
			fputs("open it with: ", stderr);
			fprintf(stderr, open[i].how, path);
			fputc('\n', stderr);
		}
	}
	if (t->losses[0]) fprintf(stderr, "alloctop: dump: not whole: %s\n", t->losses);
}

static int write_out(const struct source *src, const struct dump_options *o, const struct format *f, struct taken *t, struct err *e)
{
	struct format_options fo = { .type = find_type(t->profile, o->type), .limit = o->limit };
	struct output out;
	char *name = o->file ? xstrdup(o->file) : f->to_terminal ? xstrdup("-") : default_name(src, o, f, t);
	int bad;

	if (fo.type >= 0) t->profile->default_type = (unsigned)fo.type;
	bad = output_open(&out, name, e);
	if (!bad) bad = f->write(f, out.file, t->profile, &fo, e);
	if (!bad) bad = output_commit(&out, e);
	output_close(&out);
	if (!bad) summarise(name, f, t);
	free(name);
	return bad;
}

static int check(const struct dump_options *o, const struct format *f, int argc, char **argv, struct err *e)
{
	if (o->segment && argc) return err_set(e, ERR_USAGE, "dump: a process or --segment, not both: '%s'", argv[0]);
	if (!o->segment && argc != 1)
		return err_set(e, ERR_USAGE, "dump: %s (see: alloctop dump --help)", argc ? "one process at a time" : "which process?");
	if (o->attach && o->segment) return err_set(e, ERR_USAGE, "dump: --attach needs a process, not a segment file");
	if (o->attach && is_watched(o)) return err_set(e, ERR_USAGE, "dump: a %s profile needs no agent: leave --attach out", o->profile);
	if (o->rate != default_rate && !o->attach) return err_set(e, ERR_USAGE, "dump: --rate is for --attach (alloctop set changes an agent that is there)");
	if (!o->rate || o->rate > RATE_MAX) return err_set(e, ERR_USAGE, "dump: a rate is a size from 1 to 1T (as in --rate 512K)");
	if (o->diff && o->seconds > 0 && !is_watched(o) && !o->attach)
		return err_set(e, ERR_USAGE, "dump: --diff and --seconds each name what to subtract: one of them");
	if (o->segment && o->seconds > 0) return err_set(e, ERR_USAGE, "dump: --seconds needs a process, not a segment file");
	if (!f) return err_set(e, ERR_USAGE, "dump: no format '%s'", o->format);
	if (o->file && !strcmp(o->file, "-") && !f->to_terminal && isatty(STDOUT_FILENO))
		return err_set(e, ERR_USAGE, "dump: %s is nothing for a terminal (-o FILE, or --format text)", f->name);
	return 0;
}

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct dump_options *o = options;
	const struct format *f = o->format ? format_find(o->format) : formats[0];
	struct taken t = { 0 };
	struct source src = { 0 };
	int status;

	if (check(o, f, argc, argv, e)) return -1;
	if (is_watched(o)) {
		status = make_watched(&src, argc ? argv[0] : NULL, o, &t, e);
	} else if (o->attach) {
		status = make_attached(&src, argv[0], o, &t, e);
	} else {
		status = source_open(&src, argc ? argv[0] : NULL, o->segment, e);
		if (!status) status = make(&src, o, &t, e);
	}
	if (!status) status = write_out(&src, o, f, &t, e);
	profile_free(t.profile);
	source_close(&src);
	/* a profile that is written is no reason to keep that to oneself */
	if (!status && t.detach.kind) *e = t.detach, status = -1;
	return status;
}

static const char *format_word(size_t i) { return formats[i] ? formats[i]->name : NULL; }

static const char *profile_word(size_t i)
{
	static const char *const word[] = { "heap", "allocs", "contention", "cpu", "growth", NULL };

	return word[i];
}

static const char *label_word(size_t i)
{
	static const char *const word[] = { "thread", "size", NULL };

	return word[i];
}

static const struct option_row options[] = {
	{ 'o', "output", OPTION_STRING, offsetof(struct dump_options, file), "FILE", "where to; -: standard output", NULL },
	{ 'F', "format", OPTION_STRING, offsetof(struct dump_options, format), "FORMAT", "how to write it", format_word },
	{ 'p', "profile", OPTION_STRING, offsetof(struct dump_options, profile), "PROFILE", "heap, or what happens in --seconds", profile_word },
	{ 't', "type", OPTION_STRING, offsetof(struct dump_options, type), "TYPE", "the value to show first", type_word },
	{ 's', "segment", OPTION_STRING, offsetof(struct dump_options, segment), "FILE", "of a segment file, the process may be dead", NULL },
	{ 'D', "diff", OPTION_STRING, offsetof(struct dump_options, diff), "FILE", "minus this pprof file", NULL },
	{ 'S', "seconds", OPTION_SECONDS, offsetof(struct dump_options, seconds), "TIME", "what changes during this time", NULL },
	{ 0, "for", OPTION_SECONDS, offsetof(struct dump_options, seconds), "TIME", "the same; with --attach how long to stay (30s)", NULL },
	{ 'a', "attach", OPTION_FLAG, offsetof(struct dump_options, attach), NULL, "put the agent in, wait, dump, take it out", NULL },
	{ 0, "rate", OPTION_BYTES, offsetof(struct dump_options, rate), "SIZE", "with --attach: mean bytes between samples (512K)", NULL },
	{ 'r', "raw", OPTION_FLAG, offsetof(struct dump_options, raw), NULL, "addresses only, for pprof to symbolise", NULL },
	{ 'l', "labels", OPTION_WORDS, offsetof(struct dump_options, labels), "WORDS", "label samples", label_word },
	{ 0, "no-inlines", OPTION_FLAG, offsetof(struct dump_options, no_inlines), NULL, "leave inlined frames out", NULL },
	{ 'n', "limit", OPTION_COUNT, offsetof(struct dump_options, limit), "N", "rows of a text table; 0: all", NULL },
	PID_NS_OF,
	{ 0 },
};

static const struct dump_options defaults = { .profile = "heap", .limit = 30, .rate = 512 << 10 };

const struct cmd cmd_dump = {
	.name = "dump",
	.summary = "Write the heap of a process as a profile",
	.arguments = "PID|NAME",
	.options = options,
	.options_size = sizeof(struct dump_options),
	.defaults = &defaults,
	.run = run,
};
