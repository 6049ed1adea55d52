/* piece.h: words that change lie close together, as a GOT's do. They are read and written a piece at a time, one system call each, which is
 * most of what a stop of a large process takes. For writes in ascending order; others only come in more pieces. For inspect/attach. */
#ifndef ALLOCTOP_PIECE_H
#define ALLOCTOP_PIECE_H

#include <stddef.h>
#include <stdint.h>

struct attach_write;
struct err;
struct session;

enum { PIECE_MAX = 1024 };

struct piece { uint64_t at; size_t size, writes; uint8_t byte[PIECE_MAX]; };

/* Reads what the first of n writes (n > 0) and those that follow closely change, within a page. -1 with *e. A write's size is at most ATTACH_WRITE_MAX. */
int piece_read(struct piece *p, struct session *s, const struct attach_write *w, size_t n, struct err *e);
/* Where the bytes of one of its writes are. */
uint8_t *piece_bytes(struct piece *p, const struct attach_write *w);
/* Writes it back: what lies between is as it was read, in the same stop. */
int piece_write(const struct piece *p, struct session *s, struct err *e);

#endif
