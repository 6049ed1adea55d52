/* glance.c: see glance.h. */
#include "inspect/lock/glance.h"

#include <stdint.h>
#include <sys/uio.h>

#include "inspect/lock/lock.h"
#include "inspect/lock/word.h"

double glance(pid_t pid, const struct heap_lock *lock, size_t n, int musl, unsigned threads)
{
	struct iovec local[GLANCE_LOCKS], remote[GLANCE_LOCKS];
	int32_t w[GLANCE_LOCKS][WORD_BYTES / 4];
	double inside = 0;

	if (!n || n > GLANCE_LOCKS) return LOCK_UNKNOWN;
	for (size_t i = 0; i < n; i++) {
		local[i] = (struct iovec){ w[i], WORD_BYTES };
		remote[i] = (struct iovec){ (void *)(uintptr_t)lock[i].addr, WORD_BYTES };
	}
	if (process_vm_readv(pid, local, n, remote, n, 0) != (ssize_t)(n * WORD_BYTES)) return LOCK_UNKNOWN;
	for (size_t i = 0; i < n; i++) {
		struct word s = word_decode(lock[i].kind, musl, w[i]);
		if (s.absurd || s.waiting > 2.0 * threads + 8) return LOCK_UNKNOWN;
		inside += s.counts ? s.inside : s.held;
	}
	return inside;
}
