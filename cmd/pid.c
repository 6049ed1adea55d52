/* pid.c: see pid.h. */
#include "cmd/pid.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/client/agent.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"

struct search {
	const char *name;
	pid_t found;
	unsigned n;
	char list[200];         /* "12 34 …", for the error */
};

static int is_called(const struct proc *p, const char *name)
{
	const char *slash = strrchr(p->exe, '/');

	return !strcmp(p->comm, name) || !strcmp(slash ? slash + 1 : p->exe, name);
}

static int look(pid_t pid, void *arg)
{
	struct search *s = arg;
	struct proc p;
	struct err e;
	size_t len = strlen(s->list);

	/* the name first: it is cheaper than the look for an agent */
	if (proc_read(&p, pid, &e) || !is_called(&p, s->name)) return 0;
	enum agent_state state = agent_probe(pid);
	if (state != AGENT_ACTIVE && state != AGENT_STOPPED) return 0;
	s->found = pid;
	s->n++;
	snprintf(s->list + len, sizeof s->list - len, " %d", (int)pid);
	return 0;
}

int pid_resolve(const char *s, pid_t *pid, struct err *e)
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
	if (proc_each(look, &search, e)) return -1;
	if (search.n == 0)
		return err_set(e, ERR_GONE, "no program called '%s' has an agent (see: alloctop list)", s);
	if (search.n > 1)
		return err_set(e, ERR_USAGE, "%u programs called '%s' have an agent: name one by its PID:%s", search.n, s, search.list);
	*pid = search.found;
	return 0;
}
