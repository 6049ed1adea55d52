/* completion.c: alloctop completion: the script that a shell completes the command line with, written from the tables. One
 * writer per shell. What an option's argument is, is told by the name it has in the help: FILE, DIR; an operand by PID, CMD. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>

#include "inspect/target/err.h"

/* The processes to choose from. No dollar in it: each shell quotes that differently. */
#define PIDS "alloctop list 2>/dev/null | sed -n 's/^ *\\([0-9][0-9]*\\) .*/\\1/p'"

static int has(const char *s, const char *word) { return s && strstr(s, word); }

static void print_choices(const struct option_row *r, const char *between)
{
	const char *w;

	for (size_t i = 0; (w = r->choice(i)); i++) printf("%s%s", i ? between : "", w);
}

/* The words that the operands behind the first may be: "PID|NAME rate=SIZE|stop..." has "rate= stop". */
static int has_words(const struct cmd *c)
{
	const char *s = c->arguments ? strchr(c->arguments, ' ') : NULL;

	return s && strchr(s, '|');
}

static void print_words(const struct cmd *c)
{
	for (const char *s = strchr(c->arguments, ' ') + 1; *s; s += strspn(s, "|.")) {
		size_t n = strcspn(s, "|."), name = strcspn(s, "=");
		printf("%.*s ", (int)(name < n ? name + 1 : n), s);
		s += n;
	}
}

static void print_verbs(void)
{
	for (const struct cmd *const *c = cmds; *c; c++)
		if (!(*c)->hidden) printf("%s ", (*c)->name);
	fputs("help", stdout);
}

/* How bash is to complete the argument of an option. */
static void bash_argument(const struct option_row *r)
{
	if (r->choice) {
		fputs("COMPREPLY=($(compgen -W '", stdout);
		print_choices(r, " ");
		fputs("' -- \"$cur\"))", stdout);
	} else if (has(r->argument, "FILE")) {
		fputs("COMPREPLY=($(compgen -f -- \"$cur\")); compopt -o filenames 2>/dev/null", stdout);
	} else if (has(r->argument, "DIR")) {
		fputs("COMPREPLY=($(compgen -d -- \"$cur\")); compopt -o filenames 2>/dev/null", stdout);
	} else {
		fputs(":", stdout);
	}
}

static void bash_verb(const struct cmd *c)
{
	printf("\t%s)\n\t\tcase $prev in\n", c->name);
	for (const struct option_row *r = c->options; r && r->name; r++) {
		if (!r->argument) continue;
		printf("\t\t--%s", r->name);
		if (r->letter) printf(" | -%c", r->letter);
		fputs(") ", stdout);
		bash_argument(r);
		fputs("; return ;;\n", stdout);
	}
	fputs("\t\tesac\n\t\tif [[ $cur == -* ]]; then\n\t\t\tCOMPREPLY=($(compgen -W '--help", stdout);
	for (const struct option_row *r = c->options; r && r->name; r++) printf(" --%s", r->name);
	fputs("' -- \"$cur\"))\n", stdout);
	if (has_words(c)) {
		fputs("\t\telif ((COMP_CWORD > 2)); then\n\t\t\tCOMPREPLY=($(compgen -W '", stdout);
		print_words(c);
		fputs("' -- \"$cur\"))\n", stdout);
	}
	if (has(c->arguments, "PID")) fputs("\t\telse\n\t\t\tCOMPREPLY=($(compgen -W \"$(" PIDS ")\" -- \"$cur\"))\n", stdout);
	fputs("\t\tfi ;;\n", stdout);
}

static void bash(void)
{
	fputs("# bash completion for alloctop, made by: alloctop completion bash\n"
	      "_alloctop() {\n"
	      "\tlocal line=${COMP_LINE:0:COMP_POINT} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i\n"
	      "\tCOMPREPLY=()\n"
	      /* bash takes = for a word of its own */
	      "\tif [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
	      "\tif ((COMP_CWORD == 1)); then\n"
	      "\t\tCOMPREPLY=($(compgen -W '--help --version ", stdout);
	print_verbs();
	fputs("' -- \"$cur\"))\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tif [[ ' ", stdout);
	for (const struct cmd *const *c = cmds; *c; c++)
		if (has((*c)->arguments, "-- CMD")) printf("%s ", (*c)->name);
	fputs("' == *\" ${COMP_WORDS[1]} \"* ]]; then\n"
	      /* behind --, the words are another command's, which may have a completion of its own */
	      "\t\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	      "\t\t\t[[ ${COMP_WORDS[i]} == -- ]] || continue\n"
	      "\t\t\tif declare -F _command_offset >/dev/null; then _command_offset $((i + 1))\n"
	      "\t\t\telif ((COMP_CWORD == i + 1)); then COMPREPLY=($(compgen -c -- \"$cur\"))\n"
	      "\t\t\telse COMPREPLY=($(compgen -f -- \"$cur\")); fi\n"
	      "\t\t\treturn\n"
	      "\t\tdone\n"
	      "\tfi\n"
	      "\tcase ${COMP_WORDS[1]} in\n", stdout);
	for (const struct cmd *const *c = cmds; *c; c++)
		if (!(*c)->hidden) bash_verb(*c);
	fputs("\thelp) COMPREPLY=($(compgen -W '", stdout);
	print_verbs();
	fputs("' -- \"$cur\")) ;;\n\tesac\n}\ncomplete -F _alloctop alloctop\n", stdout);
}

/* Text inside single quotes of an _arguments specification: brackets and colons are its syntax. */
static void zsh_text(const char *s)
{
	for (; *s; s++) {
		if (strchr("[]:\\", *s)) putchar('\\');
		if (*s == '\'') fputs("'\\'", stdout);
		putchar(*s);
	}
}

static void zsh_option(const struct option_row *r)
{
	if (r->letter) printf("\t\t\t'(-%c --%s)'{-%c%s,--%s%s}'[", r->letter, r->name, r->letter, r->argument ? "+" : "", r->name, r->argument ? "=" : "");
	else printf("\t\t\t'--%s%s[", r->name, r->argument ? "=" : "");
	zsh_text(r->help);
	putchar(']');
	if (r->argument) {
		printf(":%s:", r->argument);
		if (r->choice) putchar('('), print_choices(r, " "), putchar(')');
		else if (has(r->argument, "FILE")) fputs("_files", stdout);
		else if (has(r->argument, "DIR")) fputs("_files -/", stdout);
	}
	fputs("' \\\n", stdout);
}

static void zsh(void)
{
	fputs("#compdef alloctop\n# zsh completion for alloctop, made by: alloctop completion zsh\n"
	      "_alloctop_pids() {\n\tlocal -a pids\n\tpids=(${(f)\"$(" PIDS ")\"})\n\t_describe process pids\n}\n"
	      "_alloctop() {\n\tlocal -a verbs\n\tverbs=(\n", stdout);
	for (const struct cmd *const *c = cmds; *c; c++) {
		if ((*c)->hidden) continue;
		printf("\t\t'%s:", (*c)->name);
		zsh_text((*c)->summary);
		fputs("'\n", stdout);
	}
	fputs("\t\t'help:Show what a command does'\n\t)\n"
	      "\tif ((CURRENT == 2)); then\n\t\t_describe command verbs\n\t\treturn\n\tfi\n"
	      "\tshift words\n\t((CURRENT--))\n"
	      "\tcase $words[1] in\n", stdout);
	for (const struct cmd *const *c = cmds; *c; c++) {
		if ((*c)->hidden) continue;
		printf("\t%s)\n\t\t_arguments -s %s\\\n\t\t\t'(-h --help)'{-h,--help}'[help]' \\\n", (*c)->name, (*c)->in_order ? "-A '-*' " : "");
		for (const struct option_row *r = (*c)->options; r && r->name; r++) zsh_option(r);
		if (has_words(*c)) fputs("\t\t\t'*:order:(", stdout), print_words(*c), fputs(")' \\\n", stdout);
		if (has((*c)->arguments, "PID")) fputs("\t\t\t'1:process:_alloctop_pids' ;;\n", stdout);
		else if (has((*c)->arguments, "CMD")) fputs("\t\t\t'(-)1:command:_command_names -e' '*::arguments:_normal' ;;\n", stdout);
		else fputs("\t\t\t&& return ;;\n", stdout);
	}
	fputs("\thelp) _describe command verbs ;;\n\tesac\n}\n"
	      /* read from fpath it is the function's body; sourced, it registers itself */
	      "if [[ $funcstack[1] == _alloctop ]]; then _alloctop \"$@\"; else compdef _alloctop alloctop; fi\n", stdout);
}

static void fish_text(const char *s)
{
	putchar('\'');
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\') putchar('\\');
		putchar(*s);
	}
	putchar('\'');
}

static void fish_option(const struct cmd *c, const struct option_row *r)
{
	printf("complete -c alloctop -n '__fish_seen_subcommand_from %s' -l %s", c->name, r->name);
	if (r->letter) printf(" -s %c", r->letter);
	fputs(" -d ", stdout);
	fish_text(r->help);
	if (r->choice) fputs(" -x -a '", stdout), print_choices(r, " "), putchar('\'');
	else if (has(r->argument, "FILE")) fputs(" -r -F", stdout);
	else if (has(r->argument, "DIR")) fputs(" -x -a '(__fish_complete_directories)'", stdout);
	else if (r->argument) fputs(" -x", stdout);
	putchar('\n');
}

/* Another command's line begins behind our name, the verb and the options: fish must know which of these take a word. */
static void fish_command(const struct cmd *c)
{
	fputs("-a '(__fish_complete_subcommand --fcs-skip=2", stdout);
	for (const struct option_row *r = c->options; r && r->name; r++) {
		if (!r->argument) continue;
		/* the letter first: the function takes long names at the start for its own options */
		if (r->letter) printf(" -%c", r->letter);
		printf(" --%s", r->name);
	}
	fputs(")'\n", stdout);
}

static void fish(void)
{
	fputs("# fish completion for alloctop, made by: alloctop completion fish\n"
	      "complete -c alloctop -f\n"
	      "complete -c alloctop -n __fish_use_subcommand -l help -s h -d 'help'\n"
	      "complete -c alloctop -n __fish_use_subcommand -l version -s V -d 'version'\n"
	      "complete -c alloctop -n __fish_use_subcommand -a help -d 'Show what a command does'\n", stdout);
	for (const struct cmd *const *c = cmds; *c; c++) {
		if ((*c)->hidden) continue;
		printf("complete -c alloctop -n __fish_use_subcommand -a %s -d ", (*c)->name);
		fish_text((*c)->summary);
		printf("\ncomplete -c alloctop -n '__fish_seen_subcommand_from %s' -l help -s h -d 'help'\n", (*c)->name);
		for (const struct option_row *r = (*c)->options; r && r->name; r++) fish_option(*c, r);
		if (has_words(*c)) {
			printf("complete -c alloctop -n '__fish_seen_subcommand_from %s; and test (count (commandline -opc)) -gt 2' -a '", (*c)->name);
			print_words(*c);
			fputs("'\n", stdout);
		}
		printf("complete -c alloctop -n '__fish_seen_subcommand_from %s%s' ", (*c)->name,
		       has_words(*c) ? "; and test (count (commandline -opc)) -le 2" : "");
		if (has((*c)->arguments, "PID")) fputs("-a \"(" PIDS ")\"\n", stdout);
		else if (has((*c)->arguments, "CMD")) fish_command(*c);
		else fputs("-f\n", stdout);
	}
	fputs("complete -c alloctop -n '__fish_seen_subcommand_from help' -a '", stdout);
	print_verbs();
	fputs("'\n", stdout);
}

static const struct shell { const char *name; void (*write)(void); } shells[] = {
	{ "bash", bash },
	{ "zsh", zsh },
	{ "fish", fish },
	{ 0 },
};

static int run(void *options, int argc, char **argv, struct err *e)
{
	(void)options;
	if (argc != 1) return err_set(e, ERR_USAGE, "completion: for which shell: bash, zsh or fish?");
	for (const struct shell *s = shells; s->name; s++) {
		if (strcmp(s->name, argv[0])) continue;
		s->write();
		return 0;
	}
	return err_set(e, ERR_USAGE, "completion: no completion for '%s', only for bash, zsh, fish", argv[0]);
}

const struct cmd cmd_completion = {
	.name = "completion",
	.summary = "Print the completion script of a shell",
	.arguments = "bash|zsh|fish",
	.run = run,
	.hidden = 1,
};
