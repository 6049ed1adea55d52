/* pieces.h: the words that change lie close together, as a GOT's do: in pieces, each within a page. Most of what a stop of a large process takes is how
 * often the kernel is asked for them, so many pieces are read by one system call, and stored by one where the pages are writable. There just the words are
 * written: what shares the memory without being a thread (CLONE_VM) runs on, and may write what lies between. In a page that is not writable nobody does:
 * there a piece is written whole, as it was read in the same stop, through /proc/PID/mem, which does not ask. For inspect/attach. */
#ifndef ALLOCTOP_PIECES_H
#define ALLOCTOP_PIECES_H

#include <stddef.h>
#include <stdint.h>

struct attach_write;
struct err;
struct maps;
struct session;

struct piece {
	uint64_t at;
	size_t size, writes;
	struct attach_write *write;     /* the first of them */
	uint8_t *was, *byte;            /* as it was read, and as it is to be */
	int known;                      /* 0: it cannot be read; its object is gone, for one */
	int writable;
};

struct pieces {
	struct piece *piece; size_t n;
	uint8_t *bytes;
};

/* For n writes, ascending as a rule: others only come in more pieces. They stay the caller's, and may change but for address and size (at most
   ATTACH_WRITE_MAX). `maps` say which pages are writable. */
void pieces_plan(struct pieces *p, struct attach_write *w, size_t n, const struct maps *maps);
void pieces_free(struct pieces *p);

/* While it stands: reads all of them. */
void pieces_read(struct pieces *p, struct session *s);
/* Then: where the bytes of one of a piece's writes are, to be looked at or set. */
uint8_t *pieces_bytes(const struct piece *p, const struct attach_write *w);
/* Sets each that holds the new bytes to the old ones: how many. Adds to *changed those that hold neither. */
size_t pieces_take_back(struct pieces *p, size_t *changed);
/* Then: what was set goes there. Within a page: stored, or not. Each system call is a step of that name (step.h). -1 with *e: some did not. */
int pieces_write(struct pieces *p, struct session *s, const char *name, struct err *e);

#endif
