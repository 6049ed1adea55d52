/* life.h: everything about the life of the process around us: start, fork, exec, end; whether we are active. */
#ifndef AGENT_LIFE_H
#define AGENT_LIFE_H

#include <stdint.h>

/* Slow path only. Starts the agent when that is possible by now, and gives a forked child a segment of its own. Non-zero: samples
   can be taken. */
int life_ready(void);
/* Non-zero when it will never be ready in this process. */
int life_dormant(void);
/* Becomes a pass-through, for good. */
void life_stop(void);
/* As life_ready, without doing anything about it. */
int life_running(void);
/* Changes with each segment: threads enrol again. Never 0 while running. */
uint32_t life_generation(void);
/* Keeps the segment's second clock pair fresh, about once a second. now: ticks. */
void life_tick(uint64_t now);
/* The program has started a thread of its own, or looked for a symbol, or unloaded an object. */
void life_thread_started(void);
void life_objects_changed(void);

#endif
