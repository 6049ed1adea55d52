/* act.c: see act.h. */
#include "tui/act.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "inspect/client/agent.h"
#include "inspect/format/format.h"
#include "inspect/model/profile.h"
#include "inspect/model/snapshot.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"
#include "tui/post.h"

struct act {
	pthread_t thread;
	int event, running;
	pid_t pid;
	char program[64];
	const struct format *format;
	char text[700];
};

struct act *act_new(void)
{
	struct act *a = xcalloc(1, sizeof *a);

	a->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return a;
}

void act_free(struct act *a)
{
	if (!a) return;
	if (a->running) pthread_join(a->thread, NULL);
	if (a->event >= 0) close(a->event);
	free(a);
}

int act_descriptor(const struct act *a) { return a->event; }

FILE *act_file(const char *program, pid_t pid, const char *suffix, char *path, size_t n)
{
	char name[64], stamp[32] = "unknown";
	time_t when = time(NULL);
	struct tm tm;

	snprintf(name, sizeof name, "%s", program);
	for (char *p = name; *p; p++)
		if (strchr(" /?*:;\"'\\", *p) || (p == name && (*p == '-' || *p == '.'))) *p = '_';
	if (localtime_r(&when, &tm)) strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &tm);
	snprintf(path, n, "%s.%d.%s.%s", *name ? name : "program", (int)pid, stamp, suffix);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static struct profile *take(const struct act *a, struct err *e)
{
	struct symbol_options options = { .pid = a->pid };
	struct agent *agent;
	struct snapshot snap;
	struct profile *p = NULL;

	if (agent_open(a->pid, &agent, e)) return NULL;
	int bad = agent_snapshot(agent, &snap, e);
	agent_close(agent);
	if (bad) return NULL;
	struct symbolizer *symbols = symbol_open(snap.module, snap.nmodules, &options, e);
	if (symbols) {
		p = profile_of_snapshot(&snap, PROFILE_HEAP, 0, a->program);
		profile_symbolise(p, symbols);
		symbol_close(symbols);
	}
	snapshot_free(&snap);
	return p;
}

static void write_profile(struct act *a, const struct profile *p)
{
	struct format_options fo = { .type = -1, .limit = 0 };
	char suffix[32], path[200];
	struct err e = { 0 };

	snprintf(suffix, sizeof suffix, "heap.%s", a->format->suffix);
	FILE *f = act_file(a->program, a->pid, suffix, path, sizeof path);
	if (!f) {
		snprintf(a->text, sizeof a->text, "creating %s here: %s", path, strerror(errno));
		return;
	}
	int bad = a->format->write(a->format, f, p, &fo, &e);
	if (!bad && (fflush(f) || ferror(f))) bad = err_sys(&e, errno, "writing %s", path);
	if (fclose(f) && !bad) bad = err_sys(&e, errno, "writing %s", path);
	if (bad) unlink(path);
	if (bad) snprintf(a->text, sizeof a->text, "%s", e.text);
	else snprintf(a->text, sizeof a->text, strcmp(a->format->name, "pprof") ? "wrote %s" : "wrote %s (for go tool pprof)", path);
}

static void *run(void *arg)
{
	struct act *a = arg;
	struct err e = { 0 };
	struct profile *p = take(a, &e);
	uint64_t one = 1;

	if (p) write_profile(a, p);
	else snprintf(a->text, sizeof a->text, "%s", e.text);
	profile_free(p);
	if (write(a->event, &one, sizeof one) < 0) { /* it is readable already */ }
	return NULL;
}

int act_begin(struct act *a, pid_t pid, const char *program, const char *format)
{
	sigset_t old;

	if (a->running || !(a->format = format_find(format))) return -1;
	a->pid = pid;
	snprintf(a->program, sizeof a->program, "%s", program);
	post_block(&old);
	a->running = !pthread_create(&a->thread, NULL, run, a);
	post_unblock(&old);
	return a->running ? 0 : -1;
}

int act_end(struct act *a, char *text, size_t n)
{
	uint64_t count;

	if (!a->running || read(a->event, &count, sizeof count) < 0) return 0;
	pthread_join(a->thread, NULL);
	a->running = 0;
	snprintf(text, n, "%s", a->text);
	return 1;
}
