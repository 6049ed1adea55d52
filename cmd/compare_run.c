/* compare_run.c: see compare_run.h. A command is measured as time(1) does, by what the kernel says when it is waited for. Its memory at the
 * end is looked at while its first thread is about to exit. */
#include "cmd/compare_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cmd/compare_variant.h"
#include "cmd/preflight.h"
#include "cmd/program.h"
#include "inspect/target/err.h"

static const double grace_s = 2;
enum { MANY_STOPS = 1000, CHILD_BYTES = 512 << 10 /* a child is larger than its parent when it is so much larger */ };

struct exit_look { struct look_memory memory; struct look_allocator *allocator; const char *library; };

static int at_exit(pid_t pid, void *arg)
{
	struct exit_look *l = arg;
	int last = look_all_exit(pid);

	look_memory(pid, &l->memory);
	if (!last) l->memory = (struct look_memory){ LOOK_UNKNOWN, LOOK_UNKNOWN };
	if (l->allocator) look_allocator(pid, l->library, l->allocator);
	return last;
}

static double seconds(struct timeval tv) { return (double)tv.tv_sec + (double)tv.tv_usec * 1e-6; }

static double without(double all, double part) { return fmax(0, all - part); }

/* The kernel's peak includes what the process had before exec, as our copy, and the children that it waited for: when one of these was
   larger, it is the peak, and what was left at the first process's end says little. */
static void memory(const struct process *p, const struct look_memory *m, struct compare_run *out)
{
	uint64_t kernel = (uint64_t)p->usage.ru_maxrss * 1024;
	int tells = kernel > (uint64_t)p->copy.ru_maxrss * 1024 + CHILD_BYTES;

	out->figure[COMPARE_PEAK] = m->peak != LOOK_UNKNOWN ? (double)m->peak : tells ? (double)kernel : NAN;
	out->figure[COMPARE_FINAL] = m->now != LOOK_UNKNOWN ? (double)m->now : NAN;
	if (tells && m->peak != LOOK_UNKNOWN && kernel > m->peak + m->peak / 16 + CHILD_BYTES) {
		out->figure[COMPARE_PEAK] = (double)kernel;
		out->figure[COMPARE_FINAL] = NAN;
	}
}

void run_figures(const struct process *p, const struct look_memory *m, struct compare_run *out)
{
	const struct rusage *u = &p->usage, *c = &p->copy;

	out->figure[COMPARE_ELAPSED] = p->over - p->began;
	out->figure[COMPARE_USER] = without(seconds(u->ru_utime), seconds(c->ru_utime));
	out->figure[COMPARE_SYSTEM] = without(seconds(u->ru_stime), seconds(c->ru_stime));
	out->figure[COMPARE_VOLUNTARY] = without((double)u->ru_nvcsw, (double)(c->ru_nvcsw + p->stops));
	out->figure[COMPARE_INVOLUNTARY] = without((double)u->ru_nivcsw, (double)c->ru_nivcsw);
	out->figure[COMPARE_MINOR] = without((double)u->ru_minflt, (double)c->ru_minflt);
	out->figure[COMPARE_MAJOR] = without((double)u->ru_majflt, (double)c->ru_majflt);
	memory(p, m, out);
}

int run_verdict(const struct run_order *o, const struct compare_variant *v, const char *what, const struct process *p, struct err *e)
{
	char words[PROCESS_WORDS], how[80];
	const char *name = p->order->argv[0];

	if (WIFEXITED(p->status) && (!WEXITSTATUS(p->status) || o->ignore_failure)) return 0;
	if (WIFEXITED(p->status)) snprintf(how, sizeof how, "ended with status %d", WEXITSTATUS(p->status));
	else snprintf(how, sizeof how, "was ended by signal %d (%s)", WTERMSIG(p->status), strsignal(WTERMSIG(p->status)));
	process_words(p, words);
	return err_set(e, ERR_FAIL, "compare: %s: %s%.120s %s%s%s", v->name, what, name, how, *words ? ": " : "", words);
}

static int gains(const struct compare_variant *v)
{
	char *file = program_find(v->argv[0]);
	int does = file && preflight_gains(file);

	free(file);
	return does;
}

int run_command(const struct run_order *o, struct compare_variant *v, int warm, struct compare_run *out, struct look_allocator *seen, struct err *e)
{
	struct exit_look look = { { LOOK_UNKNOWN, LOOK_UNKNOWN }, seen, v->library };
	char **env = variant_environment(v);
	/* whoever does not want the runs traced wants to know the allocator nevertheless, and asks in the warm-up */
	struct process_order po = { .argv = v->argv, .envp = env, .input = o->input, .show = o->show, .keep_words = warm,
	                            .trace = warm || !o->no_trace, .at_exit = at_exit, .arg = &look };
	struct process p;
	int bad;

	if (po.trace && gains(v)) po.trace = 0;
	bad = process_start(&p, &po, e);
	if (seen && !p.traced) snprintf(seen->why, sizeof seen->why, "not looked at, as it cannot be traced");
	if (!bad && !process_wait(&p, o->timeout)) {
		process_end(&p, grace_s);
		bad = process_interrupted() ? err_set(e, ERR_FAIL, "compare: interrupted")
			: err_set(e, ERR_FAIL, "compare: %s: %s was not done after %g s (--timeout)", v->name, v->argv[0], o->timeout);
	}
	if (!bad) bad = run_verdict(o, v, "", &p, e);
	if (!bad) run_figures(&p, &look.memory, out);
	if (!bad && !warm && p.stops > MANY_STOPS) compare_note(v, "each of its many signals stopped it for a moment (--no-trace: without that)");
	process_close(&p);
	variant_words_free(env);
	return bad;
}
