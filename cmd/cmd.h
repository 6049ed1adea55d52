/* cmd.h: a subcommand = one file with one struct cmd, and a row in the table of main.c. Options, help, completion and the check
 * against the man pages all come from these tables: a row is the only place where an option exists. */
#ifndef ALLOCTOP_CMD_H
#define ALLOCTOP_CMD_H

#include <stddef.h>
#include <stdint.h>

struct err;

enum option_type {
	OPTION_FLAG,            /* int, set to 1 */
	OPTION_STRING,          /* const char * */
	OPTION_COUNT,           /* unsigned, plain number */
	OPTION_BYTES,           /* uint64_t, with K M G suffix (powers of 1024) */
	OPTION_SECONDS,         /* double, with ms s m h suffix, plain number: seconds */
	OPTION_WORDS,           /* const char *, words of `choice` separated by commas */
	OPTION_NS_OF,           /* see pid.h; no value in the option struct */
	OPTION_LIST,            /* const char *[OPTION_LIST_MAX + 1], ends with NULL: the option may be given again and again */
};

enum { OPTION_LIST_MAX = 16 };

struct option_row {
	char letter;            /* 0: none */
	const char *name;       /* long name, without dashes */
	enum option_type type;
	size_t offset;          /* of the value in the command's option struct */
	const char *argument;   /* name shown in help; NULL for a flag */
	const char *help;       /* one line */
	const char *(*choice)(size_t i);        /* the words it may be, for completion and check; NULL: anything */
};

struct cmd {
	const char *name;       /* the verb */
	const char *summary;    /* one line */
	const char *arguments;  /* operands: "PID", "-- CMD [ARG…]"; completion goes by the words PID and CMD in it */
	const struct option_row *options;       /* ends with a row whose name is NULL; NULL: none */
	size_t options_size;    /* of the option struct, zeroed before parsing, or copied from: */
	const void *defaults;   /* NULL: zeros */
	unsigned in_order;      /* options end at the first operand: what follows is another command's */
	unsigned hidden;        /* not in the overview nor in completion */
	/* Operands are argv[0..argc). Returns the exit status, or -1: the kind of *e is the status. Unless 0, main prints *e. */
	int (*run)(void *options, int argc, char **argv, struct err *e);
};

extern const struct cmd *const cmds[];  /* ends with NULL */
const struct cmd *cmd_find(const char *name);

#define ALLOCTOP_VERSION "0.1"

#endif
