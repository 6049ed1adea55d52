/* cpu.h: what depends on the processor, chosen once. Each cpu_ARCH.h offers:
 *   cpu_syscall(nr, a..f)   a raw system call; negative errno on failure; touches neither errno nor the stack
 *   cpu_ticks()             the cycle counter: constant rate, one for all cores
 *   cpu_thread_pointer()    address of the thread's control block; above its stack, except in the main thread
 *   cpu_here(&pc, &sp)      this place in the calling function, which keeps in its frame all registers that it must give back
 *   CPU_PAUSE()             a spin-wait hint */
#ifndef AGENT_CPU_H
#define AGENT_CPU_H

#if defined(__x86_64__)
#include "cpu_x86_64.h"
#else
#error "alloctop's agent has no cpu_*.h for this processor yet"
#endif

#endif
