/* where.c: see where.h. */
#include "inspect/verdict/where.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/plain.h"
#include "inspect/symbol/plumbing.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/xalloc.h"

enum { FRAMES = 4, INLINES_MAX = 16, LINE = 400 };

/* What stands between a program and a lock of its allocator, where that is linked in. */
static int is_inner(const char *function)
{
	static const char *const prefix[] = {
		"free", "cfree", "_int_", "sysmalloc", "systrim", "arena_get", "tcache_", "__lll_", "__lock", "__unlock", "__wait", "__wake", "__libc_free", "__syscall", "futex",
		"pthread_mutex_", "__pthread_mutex_", "je_", "_rjem_", "tc_", "tcmalloc::", "mi_", "alloc_slot", "alloc_group", "nontrivial_free", "operator delete", "SpinLock",
	};

	for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++)
		if (!strncmp(function, prefix[i], strlen(prefix[i]))) return 1;
	return plumbing_function(function);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

struct words { char buf[LINE]; size_t len; unsigned frames; };

static void say(struct words *w, const char *name, const char *file, unsigned line)
{
	size_t n = sizeof w->buf - w->len;

	if (w->frames++) n -= (size_t)snprintf(w->buf + w->len, n, " < "), w->len = strlen(w->buf), n = sizeof w->buf - w->len;
	/* a name with arguments or an offset is said as it is */
	snprintf(w->buf + w->len, n, "%.100s%s", name, strpbrk(name, "(+") || !strncmp(name, "0x", 2) ? "" : "()");
	w->len = strlen(w->buf);
	if (*file && w->frames == 1) snprintf(w->buf + w->len, sizeof w->buf - w->len, " %.60s:%u", base_name(file), line);
	w->len = strlen(w->buf);
}

/* All frames of one address, inlined ones innermost; the plumbing is left out until the first that is not. */
static void take(struct words *w, struct symbolizer *s, uint64_t addr, int even_inner)
{
	struct symbol_frame f[INLINES_MAX];
	const struct symbol_module *m = symbol_module_of(s, addr);
	int inner = m && plumbing_module(m->path);
	size_t n = symbol_lookup(s, addr, f, INLINES_MAX);
	char address[128];

	for (size_t i = 0; i < n && w->frames < FRAMES; i++) {
		if (!*f[i].function || (!even_inner && (inner || (!w->frames && is_inner(f[i].function))))) continue;
		say(w, f[i].function, f[i].file, f[i].line);
	}
	/* nor does anybody want to know where in libc a thread begins */
	if ((n && *f[0].function) || w->frames >= FRAMES || (inner && !even_inner)) return;
	if (m) snprintf(address, sizeof address, "%.90s+0x%" PRIx64, base_name(m->path), addr - m->bias);
	else snprintf(address, sizeof address, "0x%" PRIx64, addr);
	say(w, address, "", 0);
}

char *where_words(struct symbolizer *s, const uint64_t *pc, unsigned depth, unsigned scanned, int returns)
{
	struct words w = { .len = 0 };

	for (int even_inner = 0; even_inner < 2 && !w.frames; even_inner++)
		for (unsigned i = scanned > 1 && !even_inner ? scanned - 1 : 0; s && i < depth && w.frames < FRAMES; i++) take(&w, s, pc[i] - (i || returns), even_inner);
	return xstrdup(w.frames ? plain_text(w.buf) : "a stack that could not be read");
}
