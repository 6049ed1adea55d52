/* folded.c: one line per stack, "root;caller;leaf 123", as flame graph scripts read it. One value type: the one asked for.
 * Inlined functions are frames like others. Stacks that round to 0 are left out; in a difference a value may be negative, which
 * some scripts cannot draw. A frame never holds ';', a line break or a control character. */
#include <stdlib.h>
#include <string.h>

#include "inspect/format/format.h"
#include "inspect/format/whole.h"
#include "inspect/model/plain.h"
#include "inspect/model/profile.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

static void frame(FILE *out, const struct profile *p, const struct profile_location *l, uint32_t line)
{
	char buf[512];
	char *name = plain_text(xstrdup(profile_name(p, l, line, buf, sizeof buf)));
	for (char *c = name; (c = strchr(c, ';')); ) *c = ':';
	fputs(name, out);
	free(name);
}

static int folded_write(const struct format *f, FILE *out, const struct profile *p, const struct format_options *o, struct err *e)
{
	(void)f;
	(void)e;
	int64_t *value = whole_values(p, profile_type_index(p, o->type));
	for (size_t i = 0; i < p->nsamples; i++) {
		const struct profile_sample *s = &p->sample[i];
		if (!value[i]) continue;
		for (uint32_t k = s->nlocs; k-- > 0;) {
			const struct profile_location *l = &p->location[s->loc[k]];
			for (uint32_t n = l->nlines ? l->nlines : 1; n-- > 0;) {
				frame(out, p, l, n);
				if (k || n) putc(';', out);
			}
		}
		fprintf(out, " %lld\n", (long long)value[i]);
	}
	free(value);
	return 0;
}

const struct format format_folded = {
	.name = "folded",
	.summary = "one line per stack, for flame graph scripts",
	.suffix = "folded",
	.to_terminal = 1,
	.write = folded_write,
};
