/* state.c: the life of a state. See state.h; state_pack.c has its bytes. */
#include "inspect/model/state.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/plain.h"
#include "inspect/model/table.h"
#include "inspect/target/xalloc.h"

struct state *state_new(void)
{
	struct state *s = xcalloc(1, sizeof *s);

	s->users = 1;
	for (int i = 0; i < STATE_FIGURES; i++) s->figure[i] = NAN;
	for (int i = 0; i < STATE_TEXTS; i++) s->text[i] = xstrdup("");
	return s;
}

struct state *state_use(struct state *s)
{
	if (s) __atomic_fetch_add(&s->users, 1, __ATOMIC_RELAXED);
	return s;
}

void state_leave(struct state *s)
{
	if (!s || __atomic_sub_fetch(&s->users, 1, __ATOMIC_ACQ_REL)) return;
	for (int i = 0; i < STATE_TEXTS; i++) free(s->text[i]);
	for (int i = 0; i < STATE_TABLES; i++) table_leave(s->table[i]);
	free(s);
}

void state_say(struct state *s, enum state_text which, const char *fmt, ...)
{
	char buf[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	free(s->text[which]);
	s->text[which] = xstrdup(plain_text(buf));
}
