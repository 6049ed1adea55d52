/* help.c: the subcommand help, and the texts behind --help. All of it is read from the tables. */
#include "cmd/help.h"

#include <stddef.h>
#include <string.h>

#include "cmd/cmd.h"
#include "inspect/target/err.h"

struct help_options { int table; };

void help_overview(FILE *f)
{
	fputs("Usage: alloctop [PID|NAME]\n"
	      "       alloctop COMMAND [OPTION...] [OPERAND...]\n\n"
	      "Where the memory of a running program went, and who allocates it.\n"
	      "Without a command: the screen, of all processes or of one.\n\nCommands:\n", f);
	for (const struct cmd *const *c = cmds; *c; c++)
		if (!(*c)->hidden) fprintf(f, "  %-8s %s\n", (*c)->name, (*c)->summary);
	fputs("\nOptions:\n"
	      "  -h, --help     this text; after a command: its options\n"
	      "  -V, --version  the version\n\n"
	      "Start with:\n"
	      "  alloctop run -- CMD    run a program with the agent\n"
	      "  alloctop top PID       its live heap, by call site\n"
	      "  alloctop dump PID      a profile for pprof\n\n"
	      "Exit status: 0 ok, 1 failure, 2 usage, 3 target gone, 4 not permitted, 5 not supported.\n", f);
}

enum { INDENT = 25, COLUMNS = 80 };

/* Words go to the next line where they do not fit. */
static void put_words(FILE *f, size_t *column, const char *words, const char *end)
{
	while (*words) {
		size_t n = strcspn(words, " "), last = words[n] ? 0 : strlen(end);
		if (*column > INDENT && *column + 1 + n + last >= COLUMNS) {
			fprintf(f, "\n%*s", INDENT - 1, "");
			*column = INDENT - 1;
		}
		fprintf(f, " %.*s%s", (int)n, words, words[n] ? "" : end);
		*column += 1 + n + last;
		words += n + strspn(words + n, " ");
	}
}

void help_verb(FILE *f, const struct cmd *c)
{
	char left[64];
	const char *w, *next;

	fprintf(f, "Usage: alloctop %s [OPTION...]%s%s\n\n%s.\n\nOptions:\n", c->name, c->arguments ? " " : "",
	        c->arguments ? c->arguments : "", c->summary);
	for (const struct option_row *r = c->options; r && r->name; r++) {
		snprintf(left, sizeof left, "%c%c%c --%s%s%s", r->letter ? '-' : ' ', r->letter ? r->letter : ' ',
		         r->letter ? ',' : ' ', r->name, r->argument ? " " : "", r->argument ? r->argument : "");
		size_t column = INDENT - 1;
		fprintf(f, "  %-*s", INDENT - 3, left);
		if (strlen(left) > INDENT - 3) fprintf(f, "\n%*s", INDENT - 1, "");
		put_words(f, &column, r->help, r->choice ? ":" : "");
		for (size_t i = 0; r->choice && (w = r->choice(i)); i++) {
			next = r->choice(i + 1);
			put_words(f, &column, w, next ? "," : "");
		}
		fputc('\n', f);
	}
	fprintf(f, "  %-22s %s\n", "-h, --help", "this text");
	if (!c->hidden) fprintf(f, "\nMore: man alloctop-%s\n", c->name);
}

/* One option a line, for the test that compares the tables with the manual. */
static void print_table(const struct cmd *c)
{
	for (const struct option_row *r = c->options; r && r->name; r++)
		printf("%c %s %s\n", r->letter ? r->letter : '-', r->name, r->argument ? r->argument : "-");
}

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct help_options *o = options;
	const struct cmd *c;

	if (argc > 1) return err_set(e, ERR_USAGE, "help: one command at a time, not %d", argc);
	if (argc == 0 && o->table) {
		for (const struct cmd *const *each = cmds; *each; each++) puts((*each)->name);
		return 0;
	}
	if (argc == 0) {
		help_overview(stdout);
		return 0;
	}
	if (!(c = cmd_find(argv[0]))) return err_set(e, ERR_USAGE, "help: no command '%s' (see: alloctop --help)", argv[0]);
	if (o->table) print_table(c);
	else help_verb(stdout, c);
	return 0;
}

static const struct option_row options[] = {
	{ 0, "options", OPTION_FLAG, offsetof(struct help_options, table), NULL, "one option a line, for scripts", NULL },
	{ 0 },
};

const struct cmd cmd_help = {
	.name = "help",
	.summary = "Show what a command does",
	.arguments = "[COMMAND]",
	.options = options,
	.options_size = sizeof(struct help_options),
	.run = run,
	.hidden = 1,
};
