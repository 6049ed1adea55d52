/* formats.c: the table of output formats. A new one is a file and a row here. */
#include <string.h>

#include "inspect/format/format.h"

extern const struct format format_pprof, format_folded, format_json, format_text, format_html;

const struct format *const formats[] = {
	&format_pprof,
	&format_folded,
	&format_json,
	&format_text,
	&format_html,
	NULL,
};

const struct format *format_find(const char *name)
{
	for (const struct format *const *f = formats; *f; f++)
		if (!strcmp((*f)->name, name)) return *f;
	return NULL;
}
