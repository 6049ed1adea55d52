/* options.h: a command line against a table of options, as users of GNU getopt_long expect it: --name=value, --name value,
 * -nvalue, clustered flags, unique prefixes, operands anywhere (unless in_order), "--" ends. Values are checked here. */
#ifndef ALLOCTOP_OPTIONS_H
#define ALLOCTOP_OPTIONS_H

#include <stdint.h>

struct cmd;
struct err;

/* argv[0] is the verb. Fills the option struct and moves the operands to the end of argv, order kept. Returns the index of the
   first operand, 0 when --help was asked for, or -1 with *e (USAGE). Every command has -h/--help without a row. */
int options_parse(const struct cmd *c, void *options, int argc, char **argv, struct err *e);

/* The values by themselves: "512K" (K M G T, powers of 1024), "1.5s" (ms s m h). 0, or -1: not such a value. */
int options_bytes(const char *s, uint64_t *out);
int options_seconds(const char *s, double *out);

#endif
