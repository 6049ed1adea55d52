/* survey.c: see survey.h. */
#include "inspect/allocator/survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/allocator/account.h"
#include "inspect/allocator/recall.h"
#include "inspect/target/clock.h"
#include "inspect/target/err.h"
#include "inspect/target/freeze.h"
#include "inspect/target/numa.h"
#include "inspect/target/smaps.h"
#include "inspect/target/xalloc.h"

enum { FOUND_MAX = RECALL_MAX, IN_USE_BYTES = 1 << 20 };

/* What the program has of it, as far as that is known. */
static uint64_t weight(const struct heap_allocator *a)
{
	return a->live_bytes != HEAP_UNKNOWN ? a->live_bytes : a->mapped != HEAP_UNKNOWN ? a->mapped : 0;
}

/* The one that holds most is the program's malloc, and so is what holds about as much. libc's own few blocks are not. */
static void decide_in_use(struct heap *h, struct account *account)
{
	uint64_t most = 0;

	for (size_t i = 0; i < h->nallocators; i++)
		if (weight(&h->allocator[i]) > most) most = weight(&h->allocator[i]);
	for (size_t i = 0; i < h->nallocators; i++) {
		uint64_t w = weight(&h->allocator[i]);
		h->allocator[i].in_use = w && (w == most || w >= IN_USE_BYTES || w > most / 4);
	}
	/* in use first, largest first; accounts go along */
	for (size_t i = 1; i < h->nallocators; i++)
		for (size_t k = i; k > 0; k--) {
			struct heap_allocator *a = &h->allocator[k - 1], *b = &h->allocator[k], t;
			if (a->in_use > b->in_use || (a->in_use == b->in_use && weight(a) >= weight(b))) break;
			t = *a, *a = *b, *b = t;
			struct account swap = account[k - 1];
			account[k - 1] = account[k];
			account[k] = swap;
		}
}

static uint64_t badness(const struct heap *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i < h->nallocators; i++)
		if (h->allocator[i].status == HEAP_TORN) n += h->allocator[i].bad + 1;
	return n;
}

static int attempt(struct target *t, const struct survey_options *o, struct heap *h, struct err *e)
{
	struct allocator_found *found = xcalloc(FOUND_MAX, sizeof *found);
	struct account account[FOUND_MAX];
	struct residence *r = NULL;
	size_t n = recall_probe(o->recall, t, found, FOUND_MAX);
	int status = residence_open(t, &r, e);

	*h = (struct heap){ .full = !!(o->flags & ALLOCATOR_FULL) };
	h->allocator = xcalloc(n + 1, sizeof *h->allocator);
	for (size_t i = 0; i < n && !status; i++) {
		struct heap_allocator *a = &h->allocator[h->nallocators++];
		account_init(&account[i], r, (unsigned)i);
		a->name = found[i].kind->name;
		memcpy(a->version, found[i].version, sizeof a->version);
		memcpy(a->evidence, found[i].evidence, sizeof a->evidence);
		memcpy(a->owner, found[i].owner, sizeof a->owner);
		a->state = found[i].state;
		double begin = clock_now();
		status = found[i].kind->read(t, &found[i], o->flags, a, &account[i].sink, e);
		a->read_s = clock_now() - begin;
		if (status || a->status == HEAP_TORN) recall_forget(o->recall);
	}
	if (!status) {
		decide_in_use(h, account);
		account_close(t, h, account, r);
	}
	residence_close(r);
	free(found);
	if (status) heap_free(h);
	return status;
}

/* What the kernel says beside resident memory. The sums are of another moment than the ledger, a little younger, or some seconds older
   where they are recalled; its resident memory is not taken from there, so that the rows close. */
static void beside(const struct target *t, struct recall *r, struct ledger *l)
{
	struct smaps s;
	struct err e;

	if (!t->pid || recall_smaps(r, t, &s, &e)) return;
	l->lazy_free = s.lazy_free;
	l->swapped = s.swap;
	l->huge = s.huge;
}

/* The reading that counts, with the process standing still. */
static int read_frozen(struct target *t, const struct survey_options *o, struct heap *out, struct err *e)
{
	struct freeze *f;
	struct heap h;
	int late = 0, status;

	if (out->read_s > o->max_pause_s) {
		err_set(e, ERR_FAIL, "pid %d: reading it would stop it for about %.0f ms, longer than --max-pause allows (%.0f ms)", (int)t->pid,
		        out->read_s * 1e3, o->max_pause_s * 1e3);
		return -1;
	}
	if (freeze_begin(t->pid, o->max_pause_s * 2, &f, e)) return -1;
	status = target_refresh(t, e) || attempt(t, o, &h, e) ? -1 : 0;
	double frozen = freeze_end(f, &late);
	if (!status) {
		heap_free(out);
		*out = h;
		out->frozen_s = frozen;
		out->frozen_late = late;
	}
	return status;
}

/* Costs another pass of the kernel's over the page tables: only where there is more than one node. */
static void nodes(const struct target *t, struct heap *h)
{
	struct numa n;

	if (!t->pid || access("/sys/devices/system/node/node1", F_OK) || numa_read(&n, t->pid)) return;
	h->node = xcalloc(n.n + 1, sizeof *h->node);
	for (; h->nnodes < n.n; h->nnodes++)
		h->node[h->nnodes] = (struct heap_node){ (unsigned)h->nnodes, n.anonymous[h->nnodes], n.file[h->nnodes] };
}

int survey_read(struct target *t, const struct survey_options *o, struct heap *out, struct err *e)
{
	double start = clock_now();
	unsigned n = 0;

	/* what is recalled may be of what was there before: then once more, without */
	if (attempt(t, o, out, e) && (!o->recall || attempt(t, o, out, e))) return -1;
	out->read_s = clock_now() - start;
	if (o->freeze && read_frozen(t, o, out, e)) {
		heap_free(out);
		return -1;
	}
	while (!o->freeze && badness(out) && t->pid && ++n < SURVEY_TRIES) {
		struct heap again;
		if (target_refresh(t, e) || attempt(t, o, &again, e)) {
			heap_free(out);
			return -1;
		}
		if (badness(&again) < badness(out)) {
			heap_free(out);
			*out = again;
		} else {
			heap_free(&again);
		}
	}
	out->retries = n;
	beside(t, o->recall, &out->ledger);
	nodes(t, out);
	out->read_s = clock_now() - start;
	return 0;
}
