/* source.c: see source.h. */
#include "cmd/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/pid.h"
#include "inspect/client/agent.h"
#include "inspect/model/plain.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"

/* The name becomes part of a file name: no slash, no leading dot or dash. */
static void set_program(struct source *s, const char *path)
{
	const char *slash = strrchr(path, '/');

	snprintf(s->program, sizeof s->program, "%s", slash ? slash + 1 : path);
	plain_text(s->program);
	for (char *p = s->program; *p; p++)
		if (strchr(" /?*:;\"'\\", *p) || (p == s->program && (*p == '-' || *p == '.'))) *p = '_';
}

int source_open_pid(struct source *s, pid_t pid, struct err *e)
{
	struct proc p;

	*s = (struct source){ .pid = pid };
	if (proc_read(&p, pid, e) || agent_open(pid, &s->agent, e)) return -1;
	/* the name it was started by: a link's or a script's says more than that of the file behind it. comm is cut at 15 bytes */
	const char *slash = strrchr(p.exe, '/'), *base = slash ? slash + 1 : p.exe;
	set_program(s, !strncmp(base, p.comm, strlen(p.comm)) ? base : p.comm);
	return 0;
}

int source_open(struct source *s, const char *operand, const char *segment, struct err *e)
{
	pid_t pid;

	*s = (struct source){ 0 };
	if (segment) return agent_open_file(segment, &s->agent, e);
	return pid_resolve(operand, PID_OF_AGENT, &pid, e) || source_open_pid(s, pid, e) ? -1 : 0;
}

void source_close(struct source *s)
{
	if (s->agent) agent_close(s->agent);
	s->agent = NULL;
}

static const char *main_path(const struct snapshot *s)
{
	for (size_t i = 0; i < s->nmodules; i++)
		if (s->module[i].is_main && *s->module[i].path) return s->module[i].path;
	return "program";
}

int source_snapshot(struct source *s, struct snapshot *out, struct err *e)
{
	if (agent_snapshot(s->agent, out, e)) return -1;
	if (!s->program[0]) set_program(s, main_path(out));
	return 0;
}

struct symbolizer *source_symbols(const struct source *s, const struct snapshot *snap, int no_inlines, struct err *e)
{
	struct symbol_options o = { .pid = s->pid, .no_inlines = no_inlines != 0 };

	return symbol_open(snap->module, snap->nmodules, &o, e);
}

void source_losses(const struct snapshot *s, char *buf, size_t n)
{
	const char *text;

	*buf = 0;
	for (unsigned i = 0; i < WIRE_LOSSES && (text = snapshot_loss_text(i)); i++) {
		size_t len = strlen(buf);
		if (s->loss[i]) snprintf(buf + len, n - len, "%s%" PRIu64 " %s", len ? ", " : "", s->loss[i], text);
	}
	size_t len = strlen(buf);
	if (s->torn) snprintf(buf + len, n - len, "%s%" PRIu64 " records changed while they were read", len ? ", " : "", s->torn);
	len = strlen(buf);
	if (s->bad) snprintf(buf + len, n - len, "%s%" PRIu64 " records that made no sense", len ? ", " : "", s->bad);
}
