/* attaching.c: see attaching.h. */
#include "cmd/attaching.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "inspect/attach/attach.h"
#include "inspect/attach/tell.h"
#include "inspect/client/agent.h"
#include "inspect/target/clock.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"

static const double look_s = 0.5;

static void print(void *arg, const char *name, const char *text) { fprintf(arg, "%-12s %s\n", name, text); }

void attaching_tell(const struct attach_plan *p, int changes, FILE *out)
{
	tell_plan(p, changes, print, out);
	fflush(out);
}

int attaching_may(const struct attach_plan *p, int force, struct err *e)
{
	if (p->verdict == ATTACH_REFUSED) return err_set(e, (enum err_kind)p->refusal, "pid %d: not attached: %s", (int)p->pid, p->why);
	if (p->verdict == ATTACH_SAFE || force) return 0;
	return err_set(e, ERR_FAIL, "pid %d: not attached: unsafe: %s (attach --force attaches all the same)", (int)p->pid, p->why);
}

int attaching_begin(struct attach_plan *p, FILE *out, struct err *e)
{
	struct attach_result r;

	if (attach_apply(p, &r, e)) return -1;
	fprintf(out, "attached     %zu stores, %zu threads stopped for %.1f ms\n", r.writes, r.threads, r.pause_s * 1e3);
	fflush(out);
	return 0;
}

/* ---- attached for a while ------------------------------------------------------------------------------------------------------------------ */

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
enum { ENDING = sizeof ending / sizeof *ending };
static volatile sig_atomic_t interrupted;
static struct sigaction before[ENDING];

static void on_signal(int sig) { interrupted = sig; }

void attaching_catch(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	/* one that is ignored (nohup) stays so */
	for (size_t i = 0; i < ENDING; i++)
		if (!sigaction(ending[i], &sa, &before[i]) && before[i].sa_handler == SIG_IGN) sigaction(ending[i], &before[i], NULL);
}

void attaching_release(void)
{
	for (size_t i = 0; i < ENDING; i++) sigaction(ending[i], &before[i], NULL);
}

double attaching_stay(pid_t pid, const struct attach_options *o, double seconds, FILE *out)
{
	double start = clock_now(), left;
	uint64_t seen = 0;
	size_t stored;
	struct err later;       /* what cannot be followed now is looked for again */

	while (!interrupted && (left = start + seconds - clock_now()) > 0) {
		if (kill(pid, 0) && errno != EPERM) break;
		int bad = attach_follow(pid, o, &seen, &stored, &later);
		if (bad && later.kind == ERR_GONE) break;
		if (!bad && stored) fprintf(out, "followed     %zu stores in objects that were loaded\n", stored), fflush(out);
		if (left > look_s) left = look_s;
		nanosleep(&(struct timespec){ .tv_nsec = (long)(left * 1e9) }, NULL);
	}
	return clock_now() - start;
}

/* Its children that have the agent, as they were forked meanwhile. */
struct heirs { pid_t of; char list[120]; };

static int look_heir(pid_t pid, void *arg)
{
	struct heirs *h = arg;
	size_t n = strlen(h->list);
	struct proc p;
	struct err e;

	if (proc_read(&p, pid, &e) || p.ppid != h->of) return 0;
	enum agent_state state = agent_probe(pid);
	if (state == AGENT_NONE || state == AGENT_UNREADABLE) return 0;
	snprintf(h->list + n, sizeof h->list - n, n + 16 < sizeof h->list ? " %d" : "…", (int)pid);
	return n + 16 >= sizeof h->list;
}

int attaching_end(pid_t pid, FILE *out, struct err *e)
{
	struct attach_undone u;
	struct heirs heirs = { .of = pid };
	struct err unimportant;

	if (attach_undo(pid, &u, e)) return -1;
	fprintf(out, "detached     %zu words put back, %zu threads stopped for %.1f ms\n", u.writes, u.threads, u.pause_s * 1e3);
	if (u.changed) fprintf(out, "             %zu words hold something else by now, or are gone: left as they are\n", u.changed);
	if (u.image_left)
		fprintf(out, "             thread %d may still return through the agent's code: it stays, and does nothing (detach again later)\n", (int)u.inside);
	if (u.landing_left) fprintf(out, "             two pages stay: the program may have copied the address of a function in them\n");
	proc_each(look_heir, &heirs, &unimportant);
	if (*heirs.list) fprintf(out, "             children have the agent too (forked meanwhile, or attached to), detach from each:%s\n", heirs.list);
	return 0;
}
