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
#include "inspect/target/pidns.h"
#include "inspect/target/proc.h"

static const char *inside;      /* --ns-of: the process in whose namespace operands are looked up; NULL: in ours */

/* Programs of one name, and those of them that have an agent: how many, the last one, "12 34 …" for the error. */
struct found { pid_t pid; unsigned n; char list[200]; };
struct search {
	const char *name;
	pid_t number;           /* in ns, instead of a name */
	const struct pidns *ns; /* NULL: ours */
	char where[64];         /* it, in words; "" */
	unsigned denied;        /* would be meant, but may not be looked at */
	struct found all, agent;
};

static int is_called(const struct proc *p, const char *name)
{
	const char *slash = strrchr(p->exe, '/');

	return !strcmp(p->comm, name) || !strcmp(slash ? slash + 1 : p->exe, name);
}

/* `number` is what the user may call it by. */
static void add(struct found *f, pid_t pid, pid_t number)
{
	size_t len = strlen(f->list);

	f->pid = pid;
	f->n++;
	snprintf(f->list + len, sizeof f->list - len, " %d", (int)number);
}

/* The one process that is called by a number in a namespace. */
static int look_number(pid_t pid, void *arg)
{
	struct search *s = arg;
	pid_t number = pidns_number(s->ns, pid);

	if (number == s->number) add(&s->all, pid, number);
	if (number == -s->number) s->denied++;
	return s->all.n > 0;
}

static int look(pid_t pid, void *arg)
{
	struct search *s = arg;
	struct proc p;
	struct err e;
	pid_t number = pid;

	/* the name first: it is cheaper than the look for an agent */
	if (pid == getpid() || proc_read(&p, pid, &e) || p.state == 'Z' || !is_called(&p, s->name)) return 0;
	if (s->ns && (number = pidns_number(s->ns, pid)) <= 0) {
		s->denied += number < 0;
		return 0;
	}
	add(&s->all, pid, number);
	enum agent_state state = agent_probe(pid);
	if (state == AGENT_ACTIVE || state == AGENT_STOPPED) add(&s->agent, pid, number);
	return 0;
}

static int choose(const struct search *s, enum pid_of of, pid_t *pid, struct err *e)
{
	const struct found *f = of == PID_OF_ANY && s->agent.n != 1 ? &s->all : &s->agent;

	*pid = f->pid;
	if (f->n == 1) return 0;
	if (!f->n && s->denied)
		return err_set(e, ERR_DENIED, "which process is '%s'%s may not be looked at (run as root, or as the process's user)", s->name, s->where);
	if (!f->n && isdigit((unsigned char)*s->name))
		return err_set(e, ERR_USAGE, "'%s' is not a process id, and no program%s is called so", s->name, s->where);
	if (of == PID_OF_ANY) {
		if (!f->n) return err_set(e, ERR_GONE, "no program%s is called '%s'", s->where, s->name);
		return err_set(e, ERR_USAGE, "%u programs%s are called '%s': name one by its PID:%s", f->n, s->where, s->name, f->list);
	}
	if (!f->n) return err_set(e, ERR_GONE, "no program%s called '%s' has an agent (see: alloctop list)", s->where, s->name);
	return err_set(e, ERR_USAGE, "%u programs%s called '%s' have an agent: name one by its PID:%s", f->n, s->where, s->name, f->list);
}

/* A number in ours. 1: it is one; 0: no number; -1 with *e: none that a process can have. */
static int parse(const char *s, pid_t *pid, struct err *e)
{
	char *end;

	if (!isdigit((unsigned char)*s)) return 0;
	errno = 0;
	long v = strtol(s, &end, 10);
	if (*end) return 0;
	if (errno || v <= 0 || v > INT_MAX) return err_set(e, ERR_USAGE, "'%s' is not a process id", s);
	*pid = (pid_t)v;
	return 1;
}

static int resolve(struct search *s, enum pid_of of, pid_t *pid, struct err *e)
{
	int number = parse(s->name, pid, e);

	if (number < 0) return -1;
	if (!number) return proc_each(look, s, e) ? -1 : choose(s, of, pid, e);
	if (!s->ns) return proc_check(e);
	s->number = *pid;
	if (proc_each(look_number, s, e) < 0) return -1;
	*pid = s->all.pid;
	if (s->all.n) return 0;
	if (s->denied) return choose(s, of, pid, e);
	return err_set(e, ERR_GONE, "no process is %s%s", s->name, s->where);
}

int pid_resolve(const char *operand, enum pid_of of, pid_t *pid, struct err *e)
{
	struct search s = { .name = operand }, member = { .name = inside };
	struct pidns ns;
	pid_t of_ns;

	if (!inside) return resolve(&s, of, pid, e);
	if (resolve(&member, PID_OF_ANY, &of_ns, e) || pidns_of(&ns, of_ns, e)) return -1;
	s.ns = &ns;
	snprintf(s.where, sizeof s.where, " in the PID namespace of pid %d", (int)of_ns);
	return resolve(&s, of, pid, e);
}

void pid_look_inside(const char *operand)
{
	inside = operand;
}

int pid_looks_inside(void)
{
	return inside != NULL;
}
