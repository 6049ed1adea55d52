/* cpu_x86_64.h: see cpu.h. */
#ifndef AGENT_CPU_X86_64_H
#define AGENT_CPU_X86_64_H

#include <stdint.h>

#define CPU_PAUSE() __builtin_ia32_pause()

static inline long cpu_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long ret;
	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return ret;
}

static inline uintptr_t cpu_thread_pointer(void)
{
	uintptr_t p;
	__asm__("mov %%fs:0, %0" : "=r"(p));
	return p;
}

static inline __attribute__((always_inline)) void cpu_here(uintptr_t *pc, uintptr_t *sp)
{
	__asm__ volatile("lea 0f(%%rip), %0\n0:\tmov %%rsp, %1" : "=r"(*pc), "=r"(*sp) : : "rbx", "rbp", "r12", "r13", "r14", "r15");
}

static inline uint64_t cpu_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

#endif
