/* tell.h: a plan in words, for people: the preflight. */
#ifndef ALLOCTOP_TELL_H
#define ALLOCTOP_TELL_H

struct attach_plan;

/* One line of it: what it is about ("verdict", "stores"; "": still the same) and the words, fit for a terminal. */
typedef void tell_line(void *arg, const char *name, const char *text);

/* `changes`: also every word that would change. The second line is the verdict. */
void tell_plan(const struct attach_plan *p, int changes, tell_line *line, void *arg);

#endif
