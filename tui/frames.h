/* frames.h: a call stack in words. For the panels that show one. */
#ifndef ALLOCTOP_FRAMES_H
#define ALLOCTOP_FRAMES_H

#include <stddef.h>
#include <stdint.h>

struct symbolizer;

/* Lines "#0 function  file:line", innermost first, appended to buf of n bytes, each behind `indent`. first_is_pc: the innermost address is
   the instruction's own, not a return address. */
void frames_text(char *buf, size_t n, const char *indent, const uint64_t *pc, unsigned depth, int first_is_pc, struct symbolizer *s);
/* Names of one address, innermost inlined first; "module+0x…" for what has none. Valid until the next call. How many. */
enum { FRAMES_MAX = 16 };
unsigned frames_names(uint64_t addr, struct symbolizer *s, const char *name[FRAMES_MAX]);

#endif
