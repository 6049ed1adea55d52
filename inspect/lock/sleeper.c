/* sleeper.c: see sleeper.h. */
#include "inspect/lock/sleeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/lock/runs.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"

enum { LINE = 256 };

/* The line of its `syscall`, as a string; its length, 0 when there is none, -1 when that is forbidden. */
static ssize_t read_line(const struct sleeper *s, char buf[LINE])
{
	char path[64];
	ssize_t n;
	int fd = s->fd;

	if (fd < 0) {
		snprintf(path, sizeof path, "%d/syscall", (int)s->tid);
		fd = openat(s->task, path, O_RDONLY | O_CLOEXEC);
	}
	n = pread(fd, buf, LINE - 1, 0);
	int e = errno;
	if (s->fd < 0 && fd >= 0) close(fd);
	errno = e;
	if (n <= 0) return n < 0 && (e == EPERM || e == EACCES) ? -1 : 0;
	buf[n] = 0;
	return n;
}

int sleeper_look(const struct sleeper *s, struct sleeper_call *at)
{
	char buf[LINE], *p = buf;
	ssize_t n = read_line(s, buf);
	uint64_t v[9];

	if (n <= 0) return (int)n;
	if (*buf < '0' || *buf > '9') return 0;         /* "running" */
	v[0] = strtoull(p, &p, 10);
	for (unsigned i = 1; i < 9; i++) v[i] = strtoull(p, &p, 16);
	*at = (struct sleeper_call){ v[0], { v[1], v[2], v[3] }, v[7], v[8] };
	return 1;
}

static enum sleeper_copied copy_between(const struct target *t, const struct sleeper *s, int runs, const struct sleeper_call *at, struct sleeper_stack *out)
{
	struct runs before, after;
	struct sleeper_call now;

	if (runs_read(runs, &before)) return SLEEPER_UNKNOWN;
	if (sleeper_look(s, &now) != 1 || memcmp(&now, at, sizeof now)) return SLEEPER_RAN;
	out->sample = (struct unwind_sample){ .stack = out->stack, .unknown = UNWIND_REST };
	out->sample.reg[UNWIND_SP] = at->sp;
	out->sample.reg[UNWIND_PC] = at->pc;
	out->sample.n = mem_read_some(t->mem, at->sp, out->stack, sizeof out->stack);
	return runs_read(runs, &after) || memcmp(&before, &after, sizeof before) ? SLEEPER_RAN : SLEEPER_COPIED;
}

enum sleeper_copied sleeper_copy(const struct target *t, const struct sleeper *s, const struct sleeper_call *at, struct sleeper_stack *out)
{
	int runs = runs_open(s->task, s->tid);
	enum sleeper_copied copied = copy_between(t, s, runs, at, out);

	if (runs >= 0) close(runs);
	return copied;
}
