/* frames.c: see frames.h. */
#include "tui/frames.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "inspect/symbol/symbol.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void address(char *buf, size_t n, uint64_t addr, struct symbolizer *s)
{
	const struct symbol_module *m = symbol_module_of(s, addr);

	if (m) snprintf(buf, n, "%.90s+0x%" PRIx64, base_name(m->path), addr - m->bias);
	else snprintf(buf, n, "0x%" PRIx64, addr);
}

unsigned frames_names(uint64_t addr, struct symbolizer *s, const char *name[FRAMES_MAX])
{
	static __thread char nameless[128];
	struct symbol_frame f[FRAMES_MAX];
	size_t n = symbol_lookup(s, addr, f, FRAMES_MAX);

	address(nameless, sizeof nameless, addr, s);
	for (size_t i = 0; i < n; i++) name[i] = *f[i].function ? f[i].function : nameless;
	if (!n) name[n++] = nameless;
	return (unsigned)n;
}

void frames_text(char *buf, size_t n, const char *indent, const uint64_t *pc, unsigned depth, int first_is_pc, struct symbolizer *s)
{
	struct symbol_frame f[FRAMES_MAX];
	char where[128];
	size_t at = strlen(buf);

	for (unsigned i = 0; i < depth && at + 64 < n; i++) {
		uint64_t addr = pc[i] - (i || !first_is_pc);
		size_t k = symbol_lookup(s, addr, f, FRAMES_MAX);
		address(where, sizeof where, addr, s);
		if (!k) at += (size_t)snprintf(buf + at, n - at, "%s#%-2u %s\n", indent, i, where);
		for (size_t j = 0; j < k && at + 64 < n; j++) {
			at += (size_t)snprintf(buf + at, n - at, "%s#%-2u %.200s%s", indent, i, *f[j].function ? f[j].function : where, f[j].inlined ? " (inlined)" : "");
			if (at < n && *f[j].file) at += (size_t)snprintf(buf + at, n - at, f[j].line ? "  %.200s:%u" : "  %.200s", f[j].file, f[j].line);
			if (at < n && !*f[j].file && j + 1 == k) {
				const struct symbol_module *m = symbol_module_of(s, addr);
				if (m) at += (size_t)snprintf(buf + at, n - at, "  (%.90s)", base_name(m->path));
			}
			if (at + 1 < n) at += (size_t)snprintf(buf + at, n - at, "\n");
		}
	}
	if (at >= n) buf[n - 1] = 0;
}
