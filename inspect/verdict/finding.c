/* finding.c: the words of a finding. See rule.h. */
#include "inspect/verdict/rule.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/model/plain.h"
#include "inspect/target/xalloc.h"

enum { LINE = 1024 };

static void headline(struct finding *f, const char *fmt, va_list ap)
{
	vsnprintf(f->headline, sizeof f->headline, fmt, ap);
	plain_text(f->headline);
}

void finding_headline(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	headline(f, fmt, ap);
	va_end(ap);
}

enum rule_answer finding_missing(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	headline(f, fmt, ap);
	va_end(ap);
	return RULE_UNKNOWN;
}

void finding_say(struct finding *f, enum finding_part part, const char *fmt, ...)
{
	char buf[LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	f->line = xreallocarray(f->line, f->nlines + 1, sizeof *f->line);
	f->line[f->nlines++] = (struct finding_line){ part, xstrdup(plain_text(buf)) };
}

void finding_clear(struct finding *f)
{
	for (size_t i = 0; i < f->nlines; i++) free(f->line[i].text);
	free(f->line);
	*f = (struct finding){ .rule = f->rule };
}

const char *finding_part_name(enum finding_part p)
{
	static const char *const name[FINDING_PARTS] = { "evidence", "from", "cause", "do", "effect", "check" };

	return name[p];
}

const char *finding_certainty_name(enum finding_certainty c)
{
	static const char *const name[] = { "possible", "likely", "certain" };

	return name[c];
}
