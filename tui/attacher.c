/* attacher.c: see attacher.h. */
#include "tui/attacher.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/wire.h"
#include "inspect/attach/attach.h"
#include "inspect/attach/tell.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"
#include "tui/post.h"

enum { RATE = 512 << 10 };

enum job { LOOK, ATTACH, DETACH, FOLLOW };

struct attacher {
	pthread_t thread;
	int event, running;
	enum job job;
	pid_t pid;
	struct attach_options options;
	const char *why;
	struct attach_plan plan;
	int planned;            /* the plan is there, and not freed */
	int attached;           /* by us: then we follow */
	uint64_t seen;          /* attach_follow's */
	enum attacher_news news;
	char title[ATTACH_WORDS + 100], text[8192];
	size_t at;
};

struct attacher *attacher_new(const char *image, const char *why)
{
	struct attacher *a = xcalloc(1, sizeof *a);

	a->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	a->options = (struct attach_options){ .image = image, .rate = RATE, .depth = WIRE_DEPTH_MAX };
	a->why = why;
	return a;
}

static void forget(struct attacher *a)
{
	if (a->planned) attach_plan_free(&a->plan);
	a->planned = 0;
}

void attacher_free(struct attacher *a)
{
	if (!a) return;
	if (a->running) pthread_join(a->thread, NULL);
	forget(a);
	if (a->event >= 0) close(a->event);
	free(a);
}

int attacher_descriptor(const struct attacher *a) { return a->event; }

/* ---- in the thread -------------------------------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void say(struct attacher *a, enum attacher_news news, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->title, sizeof a->title, fmt, ap);
	va_end(ap);
	a->news = news;
}

static void add(void *arg, const char *name, const char *text)
{
	struct attacher *a = arg;

	if (a->at < sizeof a->text) a->at += (size_t)snprintf(a->text + a->at, sizeof a->text - a->at, "%-12s %s\n", name, text);
}

static void ask(struct attacher *a)
{
	const struct attach_plan *p = &a->plan;
	int left = p->home_addr && p->home.version == HOME_VERSION && p->home.state != HOME_EMPTY;

	a->at = 0;
	a->text[0] = 0;
	if (left) {
		say(a, ATTACHER_QUESTION, "Detach from %s, pid %d: take the agent out?", p->target.proc.comm, (int)a->pid);
		add(a, "stores", "what was stored is put back as it was before the attach");
		add(a, "pause", "its threads are stopped for a moment");
		add(a, "", "");
		add(a, "", "What is recorded so far is gone then (d writes it to a file before).");
	} else if (p->verdict == ATTACH_REFUSED) {
		say(a, ATTACHER_FAILED, "not attached: %s", p->why);
	} else if (p->verdict == ATTACH_UNSAFE) {
		say(a, ATTACHER_FAILED, "not attached: unsafe: %s (alloctop attach --force %d attaches all the same)", p->why, (int)a->pid);
	} else {
		say(a, ATTACHER_QUESTION, "Attach to %s, pid %d: put the agent in?", p->target.proc.comm, (int)a->pid);
		tell_plan(p, 0, add, a);
		add(a, "", "");
		add(a, "", "It stays when this screen is left, until a is pressed again or alloctop detach is called.");
	}
}

static void look(struct attacher *a)
{
	struct err e = { 0 };

	if (!a->options.image) {
		say(a, ATTACHER_FAILED, "%s", a->why);
		return;
	}
	a->planned = 1;
	if (attach_plan(&a->plan, a->pid, &a->options, &e)) say(a, ATTACHER_FAILED, "not attached: %s", e.text);
	else ask(a);
}

static void attach(struct attacher *a)
{
	struct attach_result r;
	struct err e = { 0 };

	if (attach_apply(&a->plan, &r, &e)) {
		say(a, ATTACHER_FAILED, "not attached: %s", e.text);
		return;
	}
	a->attached = 1;
	a->seen = 0;
	say(a, ATTACHER_DONE, "attached: %zu stores, %zu threads stopped for %.1f ms (a detaches)", r.writes, r.threads, r.pause_s * 1e3);
}

static void detach(struct attacher *a)
{
	struct attach_undone u;
	struct err e = { 0 };

	if (attach_undo(a->pid, &u, &e)) {
		say(a, ATTACHER_FAILED, "not detached: %s", e.text);
		return;
	}
	a->attached = 0;
	say(a, ATTACHER_DONE, "detached: %zu words put back, %zu threads stopped for %.1f ms%s", u.writes, u.threads, u.pause_s * 1e3,
	    u.image_left ? "; a thread may still return through the agent's code, which stays: detach again later" : "");
}

static void follow(struct attacher *a)
{
	size_t stored;
	struct err e;

	a->news = ATTACHER_NOTHING;
	/* somebody else has detached, or it has ended */
	if (attach_follow(a->pid, &a->options, &a->seen, &stored, &e) && (e.kind == ERR_UNSUPPORTED || e.kind == ERR_GONE)) a->attached = 0;
}

static void *run(void *arg)
{
	static void (*const job[])(struct attacher *) = { look, attach, detach, follow };
	struct attacher *a = arg;
	uint64_t one = 1;

	job[a->job](a);
	if (write(a->event, &one, sizeof one) < 0) { /* it is readable already */ }
	return NULL;
}

/* ---- the drawing thread's -------------------------------------------------------------------------------------------------------------------- */

static int begin(struct attacher *a, enum job job)
{
	sigset_t old;

	a->job = job;
	post_block(&old);
	a->running = !pthread_create(&a->thread, NULL, run, a);
	post_unblock(&old);
	return a->running ? 0 : -1;
}

static void join(struct attacher *a)
{
	uint64_t count;

	pthread_join(a->thread, NULL);
	if (read(a->event, &count, sizeof count) < 0) { /* it could not be written */ }
	a->running = 0;
}

int attacher_look(struct attacher *a, pid_t pid)
{
	/* a matter of milliseconds */
	if (a->running && a->job == FOLLOW) join(a);
	if (a->running) return -1;
	forget(a);
	a->pid = pid;
	return begin(a, LOOK);
}

void attacher_answer(struct attacher *a, int yes)
{
	int detaches = a->planned && a->plan.verdict == ATTACH_REFUSED;

	if (a->running || !a->planned) return;
	if (!yes || begin(a, detaches ? DETACH : ATTACH)) forget(a);
}

int attacher_attached(const struct attacher *a) { return !a->running && a->attached; }

void attacher_follow(struct attacher *a)
{
	if (a->attached && !a->running && !a->planned) begin(a, FOLLOW);
}

enum attacher_news attacher_news(struct attacher *a, const char **title, const char **text)
{
	uint64_t count;

	if (!a->running || read(a->event, &count, sizeof count) < 0) return ATTACHER_NOTHING;
	pthread_join(a->thread, NULL);
	a->running = 0;
	if (a->news != ATTACHER_QUESTION) forget(a);
	*title = a->title;
	*text = a->text;
	return a->news;
}
