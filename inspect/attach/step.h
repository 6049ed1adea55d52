/* step.h: each thing that attaching and detaching do to a process is a step, in a fixed order. Tests let any one of them fail, or end
 * alloctop or the process there. For inspect/attach. */
#ifndef ALLOCTOP_STEP_H
#define ALLOCTOP_STEP_H

struct err;

/* NULL outside of tests. Called before each step; not 0: it fails. */
extern int (*step_hook)(const char *name);

/* 0, or -1 with *e when a test wants it to fail. */
int step(const char *name, struct err *e);

#endif
