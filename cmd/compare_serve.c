/* compare_serve.c: one run of a service: started, waited for until it is ready, loaded, looked at, stopped. What the load takes is the elapsed
 * time; everything else is of the service, from its start to its end. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/compare_run.h"
#include "cmd/compare_tree.h"
#include "cmd/compare_variant.h"
#include "inspect/target/err.h"

static const double poll_s = 0.05, slice_s = 0.2, ask_s = 10, stop_s = 10, settle_s = 5;

/* Runs a command beside the service, bounded. 1: it ended; 0: time is up; -1 with *e: the service has ended first, or we are interrupted. */
static int beside(const struct compare_variant *v, struct process *service, struct process *p, double until_s, struct err *e)
{
	double deadline = process_clock() + until_s;

	for (;;) {
		double left = deadline - process_clock();
		/* what is over is no time at all: less than none would be for ever */
		if (process_wait(p, fmax(fmin(left, slice_s), 0))) return 1;
		if (process_interrupted()) return err_set(e, ERR_FAIL, "compare: interrupted");
		if (process_wait(service, 0)) {
			char words[PROCESS_WORDS];
			process_words(service, words);
			return err_set(e, ERR_FAIL, "compare: %s: the service %.80s ended by itself, before its load did%s%s", v->name, v->argv[0],
			               *words ? ": " : "", words);
		}
		if (left <= 0) return 0;
	}
}

/* 1: it is ready; 0: not yet; -1 with *e. */
static int ask(const struct run_order *o, struct compare_variant *v, struct process *service, struct err *e)
{
	pid_t pid[TREE_MAX];
	struct process_order po = { .argv = o->ready, .envp = environ };
	struct process p;

	if (!o->ready) return tree_listens(pid, tree_of(service->pid, pid));
	int done = process_start(&p, &po, e) ? -1 : beside(v, service, &p, ask_s, e);
	int is = done < 0 ? -1 : done && WIFEXITED(p.status) && !WEXITSTATUS(p.status);
	process_close(&p);
	return is;
}

static int await_ready(const struct run_order *o, struct compare_variant *v, struct process *service, struct err *e)
{
	double limit = o->ready_timeout, deadline = process_clock() + limit;

	for (;;) {
		int is = 0;
		char words[PROCESS_WORDS];
		if (!process_wait(service, 0) && (is = ask(o, v, service, e)) > 0) return 0;
		if (is < 0) return -1;
		if (process_wait(service, poll_s)) {
			process_words(service, words);
			return err_set(e, ERR_FAIL, "compare: %s: the service %.80s ended before it was ready (it must stay in the foreground)%s%s",
			               v->name, v->argv[0], *words ? ": " : "", words);
		}
		if (process_interrupted()) return err_set(e, ERR_FAIL, "compare: interrupted");
		if (process_clock() > deadline)
			return err_set(e, ERR_FAIL, "compare: %s: the service %.80s %s after %g s%s", v->name, v->argv[0],
			               o->ready ? "was not ready" : "listened on no socket", limit, o->ready ? "" : " (--ready CMD tells when it is ready)");
	}
}

static int run_load(const struct run_order *o, struct compare_variant *v, struct process *service, int warm, double *elapsed, struct err *e)
{
	struct process_order po = { .argv = o->load, .envp = environ, .input = o->input, .show = o->show, .keep_words = warm };
	struct process p;
	int bad = process_start(&p, &po, e);

	if (!bad) {
		int done = beside(v, service, &p, o->timeout, e);
		if (done < 0) bad = -1;
		else if (!done) bad = err_set(e, ERR_FAIL, "compare: %s: the load was not done after %g s (--timeout)", v->name, o->timeout);
		else bad = run_verdict(o, v, "the load, ", &p, e);
		*elapsed = p.over - p.began;
	}
	process_close(&p);
	return bad;
}

/* Of its largest process. */
static void look(const struct process *service, const struct compare_variant *v, struct look_memory *most, struct look_allocator *seen)
{
	pid_t pid[TREE_MAX], largest = service->pid;
	size_t n = tree_of(service->pid, pid);

	*most = (struct look_memory){ LOOK_UNKNOWN, LOOK_UNKNOWN };
	for (size_t i = 0; i < n; i++) {
		struct look_memory m;
		look_memory(pid[i], &m);
		if (m.peak != LOOK_UNKNOWN && (most->peak == LOOK_UNKNOWN || m.peak > most->peak)) most->peak = m.peak;
		if (m.now != LOOK_UNKNOWN && (most->now == LOOK_UNKNOWN || m.now > most->now)) most->now = m.now, largest = pid[i];
	}
	if (seen) look_allocator(largest, v->library, seen);
}

/* With all that it has started: the next one may need its port. */
static int stop(struct process *service, double grace_s)
{
	pid_t pid[TREE_MAX];
	size_t n = tree_of(service->pid, pid);
	int killed = process_end(service, grace_s);

	if (killed)
		for (size_t i = 1; i < n; i++) kill(pid[i], SIGKILL);
	for (double deadline = process_clock() + settle_s; !kill(-service->pid, 0) && process_clock() < deadline;) usleep(20000);
	kill(-service->pid, SIGKILL);
	return killed;
}

int run_service(const struct run_order *o, struct compare_variant *v, int warm, struct compare_run *out, struct look_allocator *seen, struct err *e)
{
	char **env = variant_environment(v);
	struct process_order po = { .argv = v->argv, .envp = env, .show = o->show, .keep_words = warm };
	struct look_memory m = { LOOK_UNKNOWN, LOOK_UNKNOWN };
	struct process service;
	double elapsed = NAN;
	int bad = process_start(&service, &po, e);

	if (!bad) bad = await_ready(o, v, &service, e);
	if (!bad) bad = run_load(o, v, &service, warm, &elapsed, e);
	if (!bad) look(&service, v, &m, seen);
	if (service.pid > 0 && service.ended) kill(-service.pid, SIGKILL);     /* what it left behind */
	else if (service.pid > 0 && stop(&service, stop_s))
		compare_note(v, "it did not end in time at SIGTERM and was killed");
	if (!bad) {
		run_figures(&service, &m, out);
		out->figure[COMPARE_ELAPSED] = elapsed;
		if (m.now != LOOK_UNKNOWN) out->figure[COMPARE_FINAL] = (double)m.now;
	}
	process_close(&service);
	variant_words_free(env);
	return bad;
}
