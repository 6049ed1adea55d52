/* word.c: see word.h.
 *
 * musl 1.1.25 and later (src/thread/__lock.c): 0 free; below 0 held, INT_MIN + threads inside; above 0 free with so many on their
 * way. musl oldmalloc: 0/1, and the number of waiters behind it. glibc's low-level lock, its mutexes and gperftools' SpinLock: 0 free, 1
 * held, 2 held and perhaps waited for: how many wait the word does not tell. musl's mutex: the holder's number at +4, waiters at +8. */
#include "inspect/lock/word.h"

#include <limits.h>

static void count(struct word *s, int held, int64_t waiting)
{
	s->counts = 1;
	s->held = held;
	s->waiting = (double)waiting;
	s->inside = held + s->waiting;
	s->contended = s->inside >= 2;
}

struct word word_decode(enum heap_lock_kind kind, int musl, const int32_t w[WORD_BYTES / 4])
{
	struct word s = { 0 };

	switch (kind) {
	case HEAP_LOCK_MUSL:
		if (w[0] < 0) count(&s, 1, (int64_t)w[0] - INT_MIN - 1);
		else count(&s, 0, w[0]);
		s.absurd = s.waiting < 0;
		break;
	case HEAP_LOCK_PAIR:
		count(&s, w[0] != 0, w[1]);
		s.absurd = w[0] < 0 || w[0] > 1 || w[1] < 0;
		break;
	case HEAP_LOCK_MUTEX:
		if (musl) {
			count(&s, (w[1] & INT_MAX) != 0, w[2]);
			s.absurd = w[2] < 0;
			break;
		}
		/* fall through */
	case HEAP_LOCK_FUTEX3:
	case HEAP_LOCK_SPIN:
		s.held = w[0] != 0;
		s.contended = w[0] == 2;
		s.absurd = w[0] < 0 || w[0] > 2;
		break;
	}
	return s;
}
