/* piece.c: see piece.h. */
#include "inspect/attach/piece.h"

#include "inspect/attach/attach.h"
#include "inspect/attach/session.h"

int piece_read(struct piece *p, struct session *s, const struct attach_write *w, size_t n, struct err *e)
{
	p->at = w->addr;
	p->size = w->size;
	for (p->writes = 1; p->writes < n; p->writes++) {
		const struct attach_write *next = &w[p->writes];
		uint64_t end = next->addr + next->size;
		if (next->addr < p->at + p->size || end - p->at > PIECE_MAX || (end - 1) / HOME_PAGE != p->at / HOME_PAGE) break;
		p->size = end - p->at;
	}
	return session_read(s, p->at, p->byte, p->size, e);
}

uint8_t *piece_bytes(struct piece *p, const struct attach_write *w) { return p->byte + (w->addr - p->at); }

int piece_write(const struct piece *p, struct session *s, struct err *e) { return session_write(s, p->at, p->byte, p->size, e); }
