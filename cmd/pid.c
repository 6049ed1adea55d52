/* pid.c: see pid.h. */
#include "cmd/pid.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/client/agent.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"

/* Programs of one name, and those of them that have an agent: how many, the last one, "12 34 …" for the error. */
struct found { pid_t pid; unsigned n; char list[200]; };
struct search { const char *name; struct found all, agent; };

static int is_called(const struct proc *p, const char *name)
{
	const char *slash = strrchr(p->exe, '/');

	return !strcmp(p->comm, name) || !strcmp(slash ? slash + 1 : p->exe, name);
}

static void add(struct found *f, pid_t pid)
{
	size_t len = strlen(f->list);

	f->pid = pid;
	f->n++;
	snprintf(f->list + len, sizeof f->list - len, " %d", (int)pid);
}

static int look(pid_t pid, void *arg)
{
	struct search *s = arg;
	struct proc p;
	struct err e;

	/* the name first: it is cheaper than the look for an agent */
	if (pid == getpid() || proc_read(&p, pid, &e) || p.state == 'Z' || !is_called(&p, s->name)) return 0;
	add(&s->all, pid);
	enum agent_state state = agent_probe(pid);
	if (state == AGENT_ACTIVE || state == AGENT_STOPPED) add(&s->agent, pid);
	return 0;
}

static int choose(const struct search *s, enum pid_of of, pid_t *pid, struct err *e)
{
	const struct found *f = of == PID_OF_ANY && s->agent.n != 1 ? &s->all : &s->agent;

	*pid = f->pid;
	if (f->n == 1) return 0;
	if (!f->n && isdigit((unsigned char)*s->name)) return err_set(e, ERR_USAGE, "'%s' is not a process id, and no program is called so", s->name);
	if (of == PID_OF_ANY) {
		if (!f->n) return err_set(e, ERR_GONE, "no program is called '%s'", s->name);
		return err_set(e, ERR_USAGE, "%u programs are called '%s': name one by its PID:%s", f->n, s->name, f->list);
	}
	if (!f->n) return err_set(e, ERR_GONE, "no program called '%s' has an agent (see: alloctop list)", s->name);
	return err_set(e, ERR_USAGE, "%u programs called '%s' have an agent: name one by its PID:%s", f->n, s->name, f->list);
}

int pid_resolve(const char *s, enum pid_of of, pid_t *pid, struct err *e)
{
	struct search search = { .name = s };
	char *end;

	if (isdigit((unsigned char)*s)) {
		errno = 0;
		long v = strtol(s, &end, 10);
		if (!*end && (errno || v <= 0 || v > INT_MAX))
			return err_set(e, ERR_USAGE, "'%s' is not a process id", s);
		if (!*end) {
			*pid = (pid_t)v;
			return 0;
		}
	}
	return proc_each(look, &search, e) ? -1 : choose(&search, of, pid, e);
}
