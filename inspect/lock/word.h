/* word.h: what the word of a lock says at one moment. For use by inspect/lock only. */
#ifndef ALLOCTOP_LOCK_WORD_H
#define ALLOCTOP_LOCK_WORD_H

#include <stdint.h>
#include "inspect/model/heap.h"

enum { WORD_BYTES = 12 };       /* so much is read from a lock's address on */

/* counts: it tells how many threads are inside, the holder among them; else inside and waiting mean nothing. absurd: no lock says that. */
struct word { double held, inside, contended, waiting; int counts, absurd; };

/* musl: the process has musl's libc, whose mutexes differ. */
struct word word_decode(enum heap_lock_kind kind, int musl, const int32_t w[WORD_BYTES / 4]);

#endif
