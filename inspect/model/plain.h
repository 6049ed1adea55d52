/* plain.h: names that come from a target, made fit for a terminal: a program may call itself "\033[2J". */
#ifndef ALLOCTOP_PLAIN_H
#define ALLOCTOP_PLAIN_H

#include <stddef.h>

/* In place: control characters and what is not UTF-8 become '?'. Returns s. */
char *plain_text(char *s);
/* Columns of plain text: its characters. */
size_t plain_width(const char *s);
/* Cuts plain text to at most `columns`, marking the cut with ".." where there is room. Returns s. */
char *plain_cut(char *s, size_t columns);

#endif
