/* history.c: see history.h. */
#include "inspect/model/history.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { FIGURES_KEPT = 7200, MOMENT_MAX = 64 << 20 };

static const char magic[] = "ALLOCTOP RECORDING 2\n";

struct moment { void *bytes; size_t n; double at; };

struct history {
	const struct table_shape *const *shapes;
	size_t most, held;
	int torn;
	struct moment *moment; size_t first, n, cap;    /* those from `first` on have their bytes */
	float (*figures)[STATE_FIGURES]; size_t nfigures; /* a ring once it is full; nfigures counts all */
};

struct history *history_new(const struct table_shape *const shapes[STATE_TABLES], size_t bytes)
{
	struct history *h = xcalloc(1, sizeof *h);

	h->shapes = shapes;
	h->most = bytes;
	return h;
}

void history_free(struct history *h)
{
	if (!h) return;
	for (size_t i = h->first; i < h->n; i++) free(h->moment[i].bytes);
	free(h->moment);
	free(h->figures);
	free(h);
}

static void keep_figures(struct history *h, const struct state *s)
{
	size_t n = h->nfigures;

	if (n < FIGURES_KEPT && !(n & (n - 1))) h->figures = xreallocarray(h->figures, n ? 2 * n : 1, sizeof *h->figures);
	for (int i = 0; i < STATE_FIGURES; i++) h->figures[n % FIGURES_KEPT][i] = (float)s->figure[i];
	h->nfigures++;
}

static void keep(struct history *h, void *bytes, size_t n, double at)
{
	if (h->n == h->cap) {
		/* what has gone makes room */
		if (h->first > h->cap / 2) {
			memmove(h->moment, h->moment + h->first, (h->n - h->first) * sizeof *h->moment);
			h->n -= h->first;
			h->first = 0;
		} else {
			h->cap = h->cap ? 2 * h->cap : 64;
			h->moment = xreallocarray(h->moment, h->cap, sizeof *h->moment);
		}
	}
	h->moment[h->n++] = (struct moment){ bytes, n, at };
	h->held += n;
	while (h->held > h->most && h->first + 1 < h->n) {
		h->held -= h->moment[h->first].n;
		free(h->moment[h->first++].bytes);
	}
}

void history_add(struct history *h, const struct state *s)
{
	size_t n;
	void *bytes = state_pack(s, &n);

	keep_figures(h, s);
	keep(h, bytes, n, s->at);
}

int history_torn(const struct history *h) { return h->torn; }

size_t history_count(const struct history *h) { return h->n - h->first; }

double history_at(const struct history *h, size_t i) { return i < history_count(h) ? h->moment[h->first + i].at : NAN; }

struct state *history_get(struct history *h, size_t i)
{
	struct err e;

	if (i >= history_count(h)) return NULL;
	return state_unpack(h->moment[h->first + i].bytes, h->moment[h->first + i].n, h->shapes, &e);
}

size_t history_figures(const struct history *h, enum state_figure which, size_t back, double *out, size_t n)
{
	size_t kept = h->nfigures < FIGURES_KEPT ? h->nfigures : FIGURES_KEPT;

	if (back >= kept) return 0;
	if (n > kept - back) n = kept - back;
	for (size_t i = 0; i < n; i++) out[i] = (double)h->figures[(h->nfigures - back - n + i) % FIGURES_KEPT][which];
	return n;
}

int history_write_head(FILE *f, struct err *e)
{
	if (fwrite(magic, 1, sizeof magic - 1, f) == sizeof magic - 1 && !fflush(f)) return 0;
	return err_sys(e, errno, "writing the recording");
}

int history_write(FILE *f, const struct state *s, struct err *e)
{
	size_t n;
	void *bytes = state_pack(s, &n);
	uint64_t size = n;
	int bad = fwrite(&size, sizeof size, 1, f) != 1 || fwrite(bytes, 1, n, f) != n || fflush(f);
	int sys = errno;

	free(bytes);
	return bad ? err_sys(e, sys, "writing the recording") : 0;
}

/* One moment of the file: 1, or 0 at its end, or -1 where it breaks off. */
static int read_moment(struct history *h, FILE *f)
{
	uint64_t size;
	struct err e;

	size_t got = fread(&size, 1, sizeof size, f);
	if (!got) return 0;
	if (got != sizeof size || size < 9 || size > MOMENT_MAX) return -1;
	void *bytes = xmalloc(size);
	struct state *s = fread(bytes, 1, size, f) == size ? state_unpack(bytes, size, h->shapes, &e) : NULL;
	if (!s) {
		free(bytes);
		return -1;
	}
	keep_figures(h, s);
	keep(h, bytes, size, s->at);
	state_leave(s);
	return 1;
}

int history_read(struct history *h, const char *path, struct err *e)
{
	char head[sizeof magic] = "";
	FILE *f = fopen(path, "re");

	if (!f) return err_sys(e, errno, "opening the recording %s", path);
	if (fread(head, 1, sizeof magic - 1, f) != sizeof magic - 1 || memcmp(head, magic, sizeof magic - 1)) {
		fclose(f);
		return err_set(e, ERR_FAIL, "%s: not a recording of alloctop's (the key r on its screen makes one)", path);
	}
	int more;
	while ((more = read_moment(h, f)) > 0) {}
	h->torn = more < 0;
	fclose(f);
	if (history_count(h)) return 0;
	return err_set(e, ERR_FAIL, "%s: a recording without a whole moment in it", path);
}
