/* pieces.c: see pieces.h. */
#include "inspect/attach/pieces.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/attach/attach.h"
#include "inspect/attach/session.h"
#include "inspect/attach/step.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { PIECE_MAX = 1024 };

static int joins(const struct piece *p, const struct attach_write *next)
{
	uint64_t end = next->addr + next->size;

	return next->addr >= p->at + p->size && end - p->at <= PIECE_MAX && (end - 1) / HOME_PAGE == p->at / HOME_PAGE;
}

void pieces_plan(struct pieces *p, struct attach_write *w, size_t n, const struct maps *maps)
{
	size_t bytes = 0;

	*p = (struct pieces){ .piece = xcalloc(n + 1, sizeof *p->piece) };
	for (size_t i = 0; i < n; i++) {
		struct piece *last = p->n ? &p->piece[p->n - 1] : NULL;
		if (last && joins(last, &w[i])) {
			last->size = w[i].addr + w[i].size - last->at;
			last->writes++;
			continue;
		}
		const struct map *m = maps_find(maps, w[i].addr);
		p->piece[p->n++] = (struct piece){ .at = w[i].addr, .size = w[i].size, .write = &w[i], .writes = 1, .writable = m && m->write };
	}
	for (size_t i = 0; i < p->n; i++) bytes += p->piece[i].size;
	p->bytes = xcalloc(2 * bytes + 1, 1);
	for (size_t i = 0, at = 0; i < p->n; at += 2 * p->piece[i++].size) {
		p->piece[i].byte = p->bytes + at;
		p->piece[i].was = p->bytes + at + p->piece[i].size;
	}
}

void pieces_free(struct pieces *p)
{
	free(p->piece);
	free(p->bytes);
	*p = (struct pieces){ 0 };
}

uint8_t *pieces_bytes(const struct piece *p, const struct attach_write *w) { return p->byte + (w->addr - p->at); }

void pieces_read(struct pieces *p, struct session *s)
{
	struct mem_span *span = xcalloc(p->n + 1, sizeof *span);

	for (size_t i = 0; i < p->n; i++) span[i] = (struct mem_span){ p->piece[i].at, p->piece[i].was, p->piece[i].size };
	for (size_t i = 0, read; i < p->n; i += read ? read : 1) {
		read = session_read_spans(s, span + i, p->n - i);
		for (size_t k = i; k < i + read; k++) p->piece[k].known = 1;
		if (!read) p->piece[i].known = 0;
	}
	for (size_t i = 0; i < p->n; i++) memcpy(p->piece[i].byte, p->piece[i].was, p->piece[i].size);
	free(span);
}

static size_t take_back(struct piece *p, size_t *changed)
{
	size_t n = 0;

	for (const struct attach_write *w = p->write; w < p->write + p->writes; w++) {
		uint8_t *now = pieces_bytes(p, w);
		if (p->known && !memcmp(now, w->old, w->size)) continue;
		if (!p->known || memcmp(now, w->new, w->size)) {
			++*changed;
			continue;
		}
		memcpy(now, w->old, w->size);
		n++;
	}
	return n;
}

size_t pieces_take_back(struct pieces *p, size_t *changed)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) n += take_back(&p->piece[i], changed);
	return n;
}

/* Just the words of a piece that are to change, those that touch as one. At most as many spans as it has writes. */
static size_t words_of(const struct piece *p, struct mem_span *span)
{
	size_t n = 0;

	for (const struct attach_write *w = p->write; w < p->write + p->writes; w++) {
		size_t at = w->addr - p->at;
		if (!memcmp(p->byte + at, p->was + at, w->size)) continue;
		if (n && span[n - 1].addr + span[n - 1].n == w->addr) span[n - 1].n += w->size;
		else span[n++] = (struct mem_span){ w->addr, p->byte + at, w->size };
	}
	return n;
}

static int is_changed(const struct piece *p) { return p->known && memcmp(p->byte, p->was, p->size); }

int pieces_write(struct pieces *p, struct session *s, const char *name, struct err *e)
{
	size_t writes = 0, n = 0;
	int bad = 0;

	for (size_t i = 0; i < p->n; i++) writes += p->piece[i].writes;
	struct mem_span *span = xcalloc(writes + 1, sizeof *span);
	for (size_t i = 0; i < p->n && !bad; i++) {
		const struct piece *q = &p->piece[i];
		if (!is_changed(q)) continue;
		if (q->writable) n += words_of(q, span + n);
		else bad = step(name, e) || session_write(s, q->at, q->byte, q->size, e);
	}
	for (size_t i = 0, wrote; i < n && !bad; i += wrote) {
		wrote = step(name, e) ? 0 : session_write_spans(s, span + i, n - i, e);
		bad = !wrote;
	}
	free(span);
	return bad ? -1 : 0;
}
