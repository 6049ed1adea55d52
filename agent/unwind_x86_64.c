/* unwind_x86_64.c: what unwinding needs to know of the processor and its kernel; see unwind.h. */
#include "unwind.h"
#include "sys.h"

/* Registers as our caller will have them when we return, then on to unwind_walk. */
__asm__(
	".pushsection .text\n"
	".globl unwind_here\n"
	".hidden unwind_here\n"
	".type unwind_here, @function\n"
	"unwind_here:\n"
	"	.cfi_startproc\n"
	"	sub $72, %rsp\n"
	"	.cfi_adjust_cfa_offset 72\n"
	"	mov %rbx, (%rsp)\n"
	"	mov %rbp, 8(%rsp)\n"
	"	mov %r12, 16(%rsp)\n"
	"	mov %r13, 24(%rsp)\n"
	"	mov %r14, 32(%rsp)\n"
	"	mov %r15, 40(%rsp)\n"
	"	lea 80(%rsp), %rax\n"
	"	mov %rax, 48(%rsp)\n"
	"	mov 72(%rsp), %rax\n"
	"	mov %rax, 56(%rsp)\n"
	"	movq $0x7f, 64(%rsp)\n"
	"	mov %rsp, %r8\n"
	"	call unwind_walk\n"
	"	add $72, %rsp\n"
	"	.cfi_adjust_cfa_offset -72\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size unwind_here, . - unwind_here\n"
	".popsection\n");

_Static_assert(sizeof(struct unwind_regs) == 72 && __builtin_offsetof(struct unwind_regs, pc) == 56 && RULE_REGS == 7, "unwind_here's frame");

/* The kernel copies the new mask in before it looks at `how`: an invalid one changes nothing and tells whether the copy worked.
   No seccomp filter denies this call, and it needs no descriptor. */
static int probe(uintptr_t addr)
{
	return SYS(__NR_rt_sigprocmask, ~0L, addr, 0, 8, 0, 0) == -SYS_EINVAL;
}

int unwind_readable(uintptr_t addr, uintptr_t n)
{
	uintptr_t page = addr & -(uintptr_t)SYS_PAGE, last = addr + n - 1;
	if (!n || last < addr || last >> 47) return 0;
	for (; page <= last; page += SYS_PAGE)
		if (!probe(page)) return 0;
	return 1;
}

int unwind_is_trampoline(uintptr_t pc)
{
	return !memcmp((const void *)pc, "\x48\xc7\xc0\x0f\0\0\0\x0f\x05", 9) ||        /* mov $15, %rax; syscall */
		!memcmp((const void *)pc, "\xb8\x0f\0\0\0\x0f\x05", 7);                 /* mov $15, %eax; syscall */
}

/* struct rt_sigframe from its ucontext on: five words, then r8 and so on in the kernel's order. */
unsigned unwind_context_offset(unsigned reg)
{
	static const uint8_t word[RULE_REGS + 1] = { 16, 15, 9, 10, 11, 12, 20, 21 };   /* rbx rbp r12-r15 rsp rip */
	return word[reg] * 8u;
}

int unwind_follows_call(uintptr_t pc)
{
	const uint8_t *end = (const uint8_t *)pc;
	if (end[-5] == 0xe8) return 1;
	for (unsigned n = 2; n <= 7; n++) {     /* ff /2 with its operand, n bytes in all */
		unsigned mod, rm, len = 2;
		if (end[-(int)n] != 0xff || (end[1 - (int)n] >> 3 & 7) != 2) continue;
		mod = end[1 - (int)n] >> 6;
		rm = end[1 - (int)n] & 7;
		if (mod != 3 && rm == 4) len++;
		if (mod == 1) len += 1;
		if (mod == 2 || (mod == 0 && rm == 5)) len += 4;
		if (mod == 0 && rm == 4 && n > 2 && (end[2 - (int)n] & 7) == 5) len += 4;
		if (len == n) return 1;
	}
	return 0;
}
