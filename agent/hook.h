/* hook.h: under which name a function of the process's interface is defined here, chosen once. An agent that is linked into a program is
 * called in the place of NAME by the linker (--wrap=NAME). */
#ifndef AGENT_HOOK_H
#define AGENT_HOOK_H

#ifdef AGENT_LINKED
#define HOOK(name) __wrap_##name
#else
#define HOOK(name) name
#endif

#endif
