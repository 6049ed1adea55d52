/* names.h: strings kept once, and the readable form of a linkage name. For inspect/symbol only. Strings from files and targets
 * are bounded and lose their control characters here. */
#ifndef ALLOCTOP_NAMES_H
#define ALLOCTOP_NAMES_H

struct names;

struct names *names_new(void);
void names_free(struct names *n);
/* The same pointer for equal strings, valid until names_free. NULL is "". */
const char *names_keep(struct names *n, const char *s);
/* Readable form of a kept string; itself when it is not mangled. */
const char *names_readable(struct names *n, const char *kept);

/* demangle.c: C++ (v3) and Rust (legacy, v0), without argument lists. NULL when `s` is not mangled; else the caller's. */
char *demangle(const char *s);

#endif
