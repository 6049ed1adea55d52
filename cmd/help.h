/* help.h: the help texts, made from the tables. */
#ifndef ALLOCTOP_HELP_H
#define ALLOCTOP_HELP_H

#include <stdio.h>

struct cmd;

void help_overview(FILE *f);
void help_verb(FILE *f, const struct cmd *c);

#endif
