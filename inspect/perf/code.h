/* code.h: which code of a process is an allocator's. By evidence: libraries that are nothing else; functions by name, as malloc's entry
 * points and what their implementations are known to be called; and where a file is stripped, the functions that use the state which
 * the readers in inspect/allocator have found. The agent's wrappers are not among them. */
#ifndef ALLOCTOP_CODE_H
#define ALLOCTOP_CODE_H

#include <stddef.h>
#include <stdint.h>

struct code;
struct symbolizer;
struct target;

/* Neither is kept. Opens the files of all modules: dear. Never NULL. */
struct code *code_open(const struct target *t, struct symbolizer *s);
void code_close(struct code *c);
int code_holds(const struct code *c, uint64_t addr);
/* Does any aligned word of these bytes point into it? If not, nothing on this stack was called by an allocator. */
int code_among(const struct code *c, const uint8_t *bytes, size_t n);
/* Where it is, in words: "libc.so.6 (29 functions by name)", ", " between them; "" when there is none. */
const char *code_evidence(const struct code *c);

#endif
