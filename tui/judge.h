/* judge.h: the verdict line of the screen: what the rules of alloctop-diagnose(1) find in what was read. For observe.c and outlook.c. */
#ifndef ALLOCTOP_JUDGE_H
#define ALLOCTOP_JUDGE_H

struct observation;
struct state;

/* Says the dearest finding; 1 when there is one. Findings that take a watch, as growth does, are not among them. */
int judge(struct state *s, const struct observation *o);

#endif
