/* got.h: the words in a process's loaded objects through which it calls, or takes the address of, functions by name: what the loader
 * relocates. For inspect/attach. */
#ifndef ALLOCTOP_GOT_H
#define ALLOCTOP_GOT_H

#include <stddef.h>
#include <stdint.h>

struct loaded;
struct loadeds;
struct target;

enum { GOT_NAMES = 192 };

enum got_kind {
	GOT_CALL,               /* R_X86_64_JUMP_SLOT: calls only, bound or not yet (lazy) */
	GOT_ADDRESS,            /* R_X86_64_GLOB_DAT: calls, and wherever the program takes the address */
	GOT_DATA,               /* R_X86_64_64: a function pointer in data */
};

struct got_slot {
	uint64_t addr, value;
	const struct loaded *object;
	uint16_t name;          /* index into the names asked for */
	uint8_t kind;           /* enum got_kind */
	uint8_t lazy;           /* value: the object's own stub */
};

/* Where a name leads in this process. */
struct got_name {
	uint64_t real;          /* the function; 0: nobody defines it */
	const struct loaded *owner;
	unsigned slots, elsewhere;      /* slots that lead there, or will when bound; slots that lead to another function */
};

struct got {
	struct got_slot *slot; size_t n;                /* all that lead to `real` */
	struct got_slot *elsewhere; size_t nelsewhere;  /* those that do not, and are no stubs of the program's own for them */
	struct got_name name[GOT_NAMES]; size_t nnames;
	size_t unread;                                  /* objects whose tables make no sense */
};

/* `names`: at most GOT_NAMES. Reads memory only. */
void got_find(struct got *g, const struct target *t, const struct loadeds *l, const char *const *names, size_t n);
void got_free(struct got *g);

/* The value of a defined dynamic symbol of one object; 0: none. */
uint64_t got_symbol(const struct target *t, const struct loaded *o, const char *name);

#endif
