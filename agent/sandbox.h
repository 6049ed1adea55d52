/* sandbox.h: has the program put itself under a seccomp filter? Then the agent makes no system call any more but the few that any
 * allocator makes (mmap, rt_sigprocmask; gettid for a thread, getpid for a forked child), and has no thread of its own that the filter could strike. */
#ifndef AGENT_SANDBOX_H
#define AGENT_SANDBOX_H

/* Non-zero from the moment when the program asks for a filter. A filter that was there before a preloaded agent is not noticed. */
int sandbox_entered(void);

#endif
