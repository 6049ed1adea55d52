/* lockword.c: the lock words themselves, read a thousand times a second at random moments. Needs permission to read the process and
 * changes nothing in it. The only source that sees musl's waiters, who are nearly always runnable: the word counts them. */
#include "inspect/lock/tally.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "inspect/lock/word.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { WORD = WORD_BYTES, BATCH = 512, DEFAULT_HZ = 1000, CHECK_EVERY = 16 };
static const double core_share = 0.008;         /* what reading may cost, of one core: nearly all of it is sleeping and waking */

static const char name[] = "lock-word";

struct watched { struct tally_mean held, inside, contended, waiting; int counts; uint64_t absurd; };

/* All words into w, as few system calls as there can be. -1: the process is gone, or may not be read any more. */
static int read_words(const struct lock_watch *watch, int32_t (*w)[WORD / 4], uint8_t *got)
{
	struct iovec local[BATCH], remote[BATCH];

	for (size_t i = 0; i < watch->nknown; ) {
		size_t n = watch->nknown - i < BATCH ? watch->nknown - i : BATCH;
		for (size_t j = 0; j < n; j++) {
			local[j] = (struct iovec){ w[i + j], WORD };
			remote[j] = (struct iovec){ (void *)(uintptr_t)watch->known[i + j].lock.addr, WORD };
		}
		ssize_t r = process_vm_readv(watch->t->pid, local, n, remote, n, 0);
		if (r < 0 && errno == ESRCH) return -1;
		if (r < 0 && errno != EFAULT) {         /* a seccomp profile: the slow way */
			for (size_t j = 0; j < n; j++)
				got[i + j] = mem_read_some(watch->t->mem, watch->known[i + j].lock.addr, w[i + j], WORD) == WORD;
			i += n;
			continue;
		}
		size_t whole = r > 0 ? (size_t)r / WORD : 0;
		memset(got + i, 1, whole);
		i += whole;
		/* the one that could not be read is left out: its arena may have been unmapped */
		if (whole < n) got[i++] = 0;
	}
	return 0;
}

static void take(const struct lock_watch *w, struct watched *x, int32_t (*word)[WORD / 4], const uint8_t *got, double moment)
{
	double most = 2.0 * (double)w->t->nthreads + 64;

	for (size_t i = 0; i < w->nknown; i++) {
		if (!got[i]) continue;
		struct word s = word_decode(w->known[i].lock.kind, w->musl, word[i]);
		if (s.absurd || s.waiting > most) {
			x[i].absurd++;
			continue;
		}
		x[i].counts |= s.counts;
		tally_sample(&x[i].held, moment, s.held);
		tally_sample(&x[i].contended, moment, s.contended);
		if (!s.counts) continue;
		tally_sample(&x[i].inside, moment, s.inside);
		tally_sample(&x[i].waiting, moment, s.waiting);
	}
}

static void report(const struct lock_watch *w, struct watched *x, struct lock_report *r)
{
	size_t absurd = 0;

	for (size_t i = 0; i < w->nknown; i++) {
		struct lock_row *row = tally_row(w, r, w->known[i].lock.addr);
		if (!row) break;
		row->utilisation = tally_figure(&x[i].held, name);
		row->contended = tally_figure(&x[i].contended, name);
		if (x[i].counts) {
			row->mean_inside = tally_figure(&x[i].inside, name);
			row->lost_s_per_s = tally_figure(&x[i].waiting, name);
		}
		absurd += x[i].absurd > 0;
	}
	if (absurd) tally_notice(r, name, LOCK_LIMITED, "%zu locks held values that make no sense at times; those samples are left out", absurd);
}

/* each: what a sample costs, in seconds, where that kept the rate down. */
static void say(const struct lock_watch *w, struct lock_report *r, uint64_t samples, double each)
{
	char why[80] = "";

	if (each > 0) snprintf(why, sizeof why, "; %d would take %.1f%% of a processor", DEFAULT_HZ, 100 * each * DEFAULT_HZ);
	tally_notice(r, name, LOCK_USED, "%llu samples of %zu lock%s, %.0f per second%s", (unsigned long long)samples, w->nknown, w->nknown == 1 ? "" : "s",
	             r->period_s > 0 ? (double)samples / r->period_s : 0, why);
}

static int measure(const struct lock_watch *w, struct lock_report *r, struct err *e)
{
	double begin = tally_now(), until = begin + w->o->period_s, now = begin, cpu = tally_cpu();
	double rate = w->o->rate_hz > 0 ? w->o->rate_hz : DEFAULT_HZ, interval = 1 / rate, share = tally_share(w, core_share);
	uint64_t seed = 0, samples = 0;
	double each = 0;

	if (!w->nknown) return err_set(e, ERR_UNSUPPORTED, "no lock of an allocator was found");
	struct watched *x = xcalloc(w->nknown, sizeof *x);
	int32_t (*word)[WORD / 4] = xcalloc(w->nknown, sizeof *word);
	uint8_t *got = xcalloc(w->nknown, 1);
	tally_hasten();
	for (; now < until && !__atomic_load_n(w->stop, __ATOMIC_RELAXED); now = tally_now()) {
		if (read_words(w, word, got)) {
			r->exited = 1;
			break;
		}
		take(w, x, word, got, (now - begin) / w->o->period_s);
		if (++samples % CHECK_EVERY == 0 && (w->o->rate_hz <= 0 || w->o->core_share > 0)) {
			double used = tally_cpu();
			each = (used - cpu) / CHECK_EVERY;
			interval = each / share > 1 / rate ? each / share : 1 / rate;
			cpu = used;
		}
		tally_sleep(interval * (0.5 + tally_random(&seed)));
	}
	r->period_s = now - begin;
	report(w, x, r);
	say(w, r, samples, interval > 1 / rate ? each : 0);
	free(x);
	free(word);
	free(got);
	return samples ? 0 : err_set(e, ERR_GONE, "pid %d: it exited before its locks could be read", (int)w->t->pid);
}

const struct lock_source lock_lockword = { name, "permission to read the process's memory", measure };
