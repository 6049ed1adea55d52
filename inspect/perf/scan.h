/* scan.h: the callers of code that has no unwind information, found on the stack itself: a word is taken for a return address only
 * when it stands behind a call whose target, resolved through PLT and GOT and through functions that are a single jump, begins the very
 * function that we come from. For use by unwind.c only. */
#ifndef ALLOCTOP_SCAN_H
#define ALLOCTOP_SCAN_H

#include <stddef.h>
#include <stdint.h>

struct target;
struct scan;

enum { SCAN_JUMPS = 2 };

struct scan *scan_open(const struct target *t);
void scan_close(struct scan *s);

/* The frame that called the function `pc` lies in: the nearest one in stack[from..n) (bytes; `from` a multiple of 8). jump: the ends of jumps that the
   call went through, innermost first, 0 behind the last: second names of functions, and calls that are a function's last deed. Returns the offset of its slot, or SIZE_MAX. */
size_t scan_caller(struct scan *s, uint64_t pc, const uint8_t *stack, size_t from, size_t n, uint64_t *ret, uint64_t jump[SCAN_JUMPS]);

#endif
