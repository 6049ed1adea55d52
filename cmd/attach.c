/* attach.c: alloctop attach: the agent into a process that runs, after a look at what that would mean. */
#include "cmd/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/wire.h"
#include "cmd/attaching.h"
#include "cmd/pid.h"
#include "cmd/place.h"
#include "inspect/attach/attach.h"
#include "inspect/model/plain.h"
#include "inspect/model/units.h"
#include "inspect/target/err.h"

#define RATE_MAX (1ULL << 40)

struct attach_command { uint64_t rate; double period; int dry_run, force; };

/* ---- the preflight ----------------------------------------------------------------------------------------------------------------------- */

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void print_text(const char *name, const char *text)
{
	char line[ATTACH_WORDS + 16];

	snprintf(line, sizeof line, "%s", text);
	plain_text(line);
	printf("%-12s %s\n", name, line);
}

/* How each function was found. */
static void print_jumps(const struct attach_plan *p, int more)
{
	char text[ATTACH_WORDS - 64];

	for (int way = FUNCTION_EXPORTED; way <= FUNCTION_CODE; way++) {
		size_t n = 0, at = 0;
		text[0] = 0;
		for (size_t i = 0; i < p->jumps.n; i++) {
			const struct function *f = &p->jumps.jump[i].function;
			if ((int)f->way != way) continue;
			if (at < sizeof text) at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", n++ ? " " : "", f->name);
		}
		if (!n) continue;
		char line[ATTACH_WORDS];
		snprintf(line, sizeof line, "%zu by a jump at their entry, %s: %s", n, way == FUNCTION_CODE ? "told by their code" : way == FUNCTION_SYMBOL ? "found by symbol" :
		         "exported", text);
		print_text(more ? "" : "functions", line);
		more = 1;
	}
}

static void print_functions(const struct attach_plan *p)
{
	unsigned functions = 0;
	char text[ATTACH_WORDS];
	const struct got_name *m = &p->got.name[0];

	for (size_t i = 0; i < p->got.nnames; i++) functions += p->got.name[i].slots > 0;
	const struct jump *j = p->jumps.n ? &p->jumps.jump[0] : NULL;
	snprintf(text, sizeof text, "%s", j && jumps_has(&p->jumps, 0) ? j->function.object->path : m->owner ? m->owner->path : "none found");
	print_text("malloc of", text);
	if (functions || !p->jumps.n) {
		snprintf(text, sizeof text, "%u, by name, through the GOT of %zu loaded objects", functions, p->got.objects);
		print_text("functions", text);
	}
	if (p->jumps.n) print_jumps(p, functions > 0);
}

static void print_jump_change(const struct attach_plan *p, const struct attach_write *w)
{
	const struct loaded *o = loaded_find(&p->loaded, w->addr);
	char text[ATTACH_WORDS], bytes[2][2 * ATTACH_WRITE_MAX + 1] = { "", "" };

	for (uint32_t i = 0; i < w->size && i < ATTACH_WRITE_MAX; i++) {
		snprintf(bytes[0] + 2 * i, 3, "%02x", w->old[i]);
		snprintf(bytes[1] + 2 * i, 3, "%02x", w->new[i]);
	}
	snprintf(text, sizeof text, "%012" PRIx64 "  %s -> %s   (%s, a jump at the entry of %s)", w->addr, bytes[0], bytes[1], o ? base(o->path) : "?",
	         attach_entry_name(p, w->entry));
	plain_text(text);
	printf("  %s\n", text);
}

static void print_change(const struct attach_plan *p, const struct attach_write *w)
{
	const struct loaded *o = loaded_find(&p->loaded, w->addr), *from;
	uint64_t old;
	char text[ATTACH_WORDS];

	if (w->kind == ATTACH_JUMP) {
		print_jump_change(p, w);
		return;
	}
	memcpy(&old, w->old, sizeof old);
	from = loaded_find(&p->loaded, old);
	snprintf(text, sizeof text, "%012" PRIx64 "  %016" PRIx64 " -> %s of the image   (%s, was %s+0x%" PRIx64 "%s)", w->addr, old,
	         attach_entry_name(p, w->entry), o ? base(o->path) : "?", from ? base(from->path) : "?", from ? old - from->bias : old,
	         from == o && old != p->got.name[w->entry].real ? ", not bound yet" : "");
	plain_text(text);
	printf("  %s\n", text);
}

static void print_plan(const struct attach_plan *p, int changes)
{
	char a[UNITS_MAX], b[UNITS_MAX], text[ATTACH_WORDS + 16];
	static const char *const verdicts[] = { "safe", "unsafe", "refused" };

	if (p->target.proc.inner_pid == p->pid) snprintf(text, sizeof text, "%d (%s)", (int)p->pid, p->target.proc.comm);
	else snprintf(text, sizeof text, "%d (%s; %d in its namespace)", (int)p->pid, p->target.proc.comm, (int)p->target.proc.inner_pid);
	print_text("process", text);
	snprintf(text, sizeof text, "%s%s%s", verdicts[p->verdict], p->verdict == ATTACH_SAFE ? "" : ": ", p->why);
	print_text("verdict", text);
	print_functions(p);
	snprintf(text, sizeof text, "%zu words of 8 bytes, %zu of them not bound yet; %zu jumps of %d bytes", p->nwrites - p->jumps.n, p->writes_lazy, p->jumps.n, ENTRY_JUMP);
	print_text("stores", text);
	snprintf(text, sizeof text, "%s at once; %s of addresses, of which what is used becomes resident", units_bytes((double)p->added, a),
	         units_bytes((double)p->reserved, b));
	print_text("memory", text);
	snprintf(text, sizeof text, "about %.1f ms for %zu threads", p->pause_s * 1e3, p->target.nthreads);
	print_text("pause", text);
	print_text("seccomp", p->seccomp == 0 ? "none" : p->verdict == ATTACH_REFUSED ? "a filter" : "a filter, which lets the needed system calls pass");
	for (size_t i = 0; i < p->nnotes; i++) print_text(i ? "" : "not seen", p->note[i]);
	if (!changes) return;
	printf("changes\n");
	for (size_t i = 0; i < p->nwrites; i++) print_change(p, &p->write[i]);
}

/* ---- attached for a while ------------------------------------------------------------------------------------------------------------------ */

static volatile sig_atomic_t interrupted;

static void on_signal(int sig) { interrupted = sig; }

static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction sa = { .sa_handler = on_signal };

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &sa, NULL);
}

/* Objects that are loaded meanwhile are hooked too. Until the time is over, or somebody has enough of it, or the process has gone. */
static void stay(pid_t pid, const struct attach_options *o, double seconds)
{
	struct timespec until, now;
	uint64_t seen = 0;
	size_t stored;
	struct err later;       /* what cannot be followed now is looked for again */

	clock_gettime(CLOCK_MONOTONIC, &until);
	double end = (double)until.tv_sec + (double)until.tv_nsec * 1e-9 + seconds;
	while (!interrupted && (!kill(pid, 0) || errno == EPERM)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		double left = end - (double)now.tv_sec - (double)now.tv_nsec * 1e-9;
		if (left <= 0) return;
		if (!attach_follow(pid, o, &seen, &stored, &later) && stored) {
			printf("followed     %zu stores in objects that were loaded\n", stored);
			fflush(stdout);
		}
		if (left > 0.5) left = 0.5;
		nanosleep(&(struct timespec){ .tv_sec = 0, .tv_nsec = (long)(left * 1e9) }, NULL);
	}
}

static int run_plan(const struct attach_command *o, struct attach_plan *p, struct err *e)
{
	struct attach_result r;

	print_plan(p, o->dry_run);
	if (p->verdict == ATTACH_REFUSED) return err_set(e, (enum err_kind)p->refusal, "pid %d: not attached: %s", (int)p->pid, p->why);
	if (o->dry_run) return 0;
	if (p->verdict == ATTACH_UNSAFE && !o->force)
		return err_set(e, ERR_FAIL, "pid %d: not attached: unsafe: %s (--force attaches all the same)", (int)p->pid, p->why);
	fflush(stdout);
	if (o->period > 0) catch_signals();
	if (attach_apply(p, &r, e)) return -1;
	printf("attached     %zu stores, %zu threads stopped for %.1f ms\n", r.writes, r.threads, r.pause_s * 1e3);
	fflush(stdout);
	if (!(o->period > 0)) return 0;
	stay(p->pid, &p->options, o->period);
	return attaching_end(p->pid, e);
}

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct attach_command *o = options;
	struct attach_options ao = { .rate = o->rate, .depth = WIRE_DEPTH_MAX };
	struct attach_plan p;
	pid_t pid;

	if (argc != 1) return err_set(e, ERR_USAGE, "attach: %s (see: alloctop attach --help)", argc ? "one process at a time" : "which process?");
	if (!o->rate || o->rate > RATE_MAX) return err_set(e, ERR_USAGE, "attach: a rate is a size from 1 to 1T (as in --rate 512K)");
	if (pid_resolve(argv[0], PID_OF_ANY, &pid, e)) return -1;
	char *image = place_find("attach", "alloctop-attach.so", "ALLOCTOP_ATTACH", e);
	if (!image) return -1;
	ao.image = image;
	int status = attach_plan(&p, pid, &ao, e);
	if (!status) status = run_plan(o, &p, e);
	attach_plan_free(&p);
	free(image);
	return status;
}

static const struct attach_command defaults = { .rate = 512 << 10 };

static const struct option_row options[] = {
	{ 'r', "rate", OPTION_BYTES, offsetof(struct attach_command, rate), "SIZE", "mean bytes between samples (512K); 1: every allocation", NULL },
	{ 0, "for", OPTION_SECONDS, offsetof(struct attach_command, period), "TIME", "stay as long, or until ^C, then detach", NULL },
	{ 'n', "dry-run", OPTION_FLAG, offsetof(struct attach_command, dry_run), NULL, "only say what would be done, each changed word too", NULL },
	{ 0, "force", OPTION_FLAG, offsetof(struct attach_command, force), NULL, "attach although it is not called safe", NULL },
	PID_NS_OF,
	{ 0 },
};

const struct cmd cmd_attach = {
	.name = "attach",
	.summary = "Put the agent into a running process",
	.arguments = "PID|NAME",
	.options = options,
	.options_size = sizeof defaults,
	.defaults = &defaults,
	.run = run,
};
