/* main.c: the table of subcommands, and from the command line to one of them. The only place that prints an error and that
 * decides the exit status: 0 ok, else the kind of the error (see err.h). */
#include "cmd/cmd.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/help.h"
#include "cmd/options.h"
#include "cmd/pid.h"
#include "inspect/model/plain.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

extern const struct cmd cmd_run, cmd_attach, cmd_detach, cmd_list, cmd_top, cmd_heap, cmd_locks, cmd_diagnose, cmd_stat, cmd_dump, cmd_set, cmd_replay, cmd_compare, cmd_help, cmd_completion;

const struct cmd *const cmds[] = {
	&cmd_run,
	&cmd_attach,
	&cmd_detach,
	&cmd_list,
	&cmd_top,
	&cmd_heap,
	&cmd_locks,
	&cmd_diagnose,
	&cmd_stat,
	&cmd_dump,
	&cmd_set,
	&cmd_replay,
	&cmd_compare,
	&cmd_help,
	&cmd_completion,
	NULL,
};

const struct cmd *cmd_find(const char *name)
{
	for (const struct cmd *const *c = cmds; *c; c++)
		if (!strcmp((*c)->name, name)) return *c;
	return NULL;
}

static int fail(struct err *e)
{
	plain_text(e->text);
	fprintf(stderr, "alloctop: %s\n", e->text);
	return e->kind ? (int)e->kind : ERR_FAIL;
}

/* What was printed must have arrived: a full disk behind "> file" is a failure. */
static int flush(int status)
{
	int sys = errno;

	if (!ferror(stdout) && !fflush(stdout)) return status;
	if (errno) sys = errno;
	if (sys == EPIPE) return status;
	fprintf(stderr, "alloctop: writing the output: %s\n", strerror(sys));
	return status ? status : ERR_FAIL;
}

static int run(const struct cmd *c, int argc, char **argv)
{
	struct err e = { 0 };
	void *options = c->options_size ? xcalloc(1, c->options_size) : NULL;
	int status, first = options_parse(c, options, argc, argv, &e);

	if (first > 0 && pid_looks_inside() && (first == argc || !strcmp(argv[first - 1], "--")))
		first = err_set(&e, ERR_USAGE, "%s: --ns-of says where a process is looked up: which one? (see: alloctop %s --help)", c->name, c->name);
	if (first < 0) status = fail(&e);
	else if (first == 0) help_verb(stdout, c), status = 0;
	else if ((status = c->run(options, argc - first, argv + first, &e)) < 0) status = fail(&e);
	else if (status && *e.text) fail(&e);
	free(options);
	return flush(status);
}

/* The words as those of another command. */
static int run_as(const struct cmd *c, int argc, char **argv)
{
	char **args = xcalloc((size_t)argc + 2, sizeof *args), *name = xstrdup(c->name);

	args[0] = name;
	for (int i = 0; i < argc; i++) args[i + 1] = argv[i];
	int status = run(c, argc + 1, args);
	free(name);
	free(args);
	return status;
}

/* Whether --ns-of is among the options, which are not parsed yet: then the name is not one of our namespace. */
static int names_namespace(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], "--ns", 4)) return 1;
	return 0;
}

/* `alloctop PID` and `alloctop NAME`: the screen of that process. */
static int run_target(int argc, char **argv)
{
	struct err e = { 0 };
	pid_t pid;

	if (!pid_resolve(argv[0], PID_OF_ANY, &pid, &e) || names_namespace(argc, argv)) return run_as(&cmd_top, argc, argv);
	if (e.kind == ERR_GONE && !isdigit((unsigned char)*argv[0]))
		err_set(&e, ERR_USAGE, "unknown command '%s', and no program is called so (see: alloctop --help)", argv[0]);
	return fail(&e);
}

/* Whether a word is an option of the command, so that `alloctop -b` is `alloctop top -b`. */
static int is_option_of(const struct cmd *c, const char *word)
{
	size_t n = strcspn(word, "=");

	for (const struct option_row *o = c->options; o->name; o++)
		if (word[1] == '-' ? n > 2 && !strncmp(o->name, word + 2, n - 2) : word[1] && word[1] == o->letter) return 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	const struct cmd *c;
	const char *word = argc > 1 ? argv[1] : NULL;

	setlocale(LC_CTYPE, "");
	if (!word) return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? run_as(&cmd_top, 0, argv) : run_as(&cmd_list, 0, argv);
	if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
		help_overview(stdout);
		return flush(0);
	}
	if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
		puts("alloctop " ALLOCTOP_VERSION);
		return flush(0);
	}
	if (word[0] == '-' && is_option_of(&cmd_top, word)) return run_as(&cmd_top, argc - 1, argv + 1);
	if (word[0] == '-') {
		err_set(&e, ERR_USAGE, "unknown option '%s' before a command (see: alloctop --help)", word);
		return fail(&e);
	}
	c = cmd_find(word);
	return c ? run(c, argc - 1, argv + 1) : run_target(argc - 1, argv + 1);
}
