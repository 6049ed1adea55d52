/* interrupt.h: ^C while something is watched: the first ends the watch, and what was seen is shown; the second ends the command. */
#ifndef ALLOCTOP_INTERRUPT_H
#define ALLOCTOP_INTERRUPT_H

/* Not 0 once SIGINT, SIGTERM or SIGHUP came. Read with __ATOMIC_RELAXED, by any thread. */
extern int interrupt_came;

/* From here on. An ignored SIGHUP (nohup) stays ignored. */
void interrupt_catch(void);

#endif
