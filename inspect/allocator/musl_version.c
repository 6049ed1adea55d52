/* musl_version.c: which musl a process runs with. A shared libc has its version among its constants, where ldd finds it too; of a static program's
 * libc no such string is left. */
#include "inspect/allocator/musl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/image.h"
#include "inspect/target/xalloc.h"

enum { TEXT_MAX = 2 << 20, VERSION_MAX = 20 };

/* "1.2.3" or "1.2.3-git-5-g…" at s: its length, else 0. */
static size_t version_at(const char *s, size_t n)
{
	size_t i = 2, dots = 0;

	if (n < 6 || memcmp(s, "1.", 2)) return 0;
	for (; i < n && i < VERSION_MAX && (isdigit((unsigned char)s[i]) || (s[i] == '.' && !dots++)); i++);
	if (!dots || i < 5 || s[i - 1] == '.') return 0;
	if (i < n && s[i] == '-') while (i < n && i < VERSION_MAX && (isalnum((unsigned char)s[i]) || s[i] == '-')) i++;
	return i < n && !s[i] ? i : 0;
}

/* The one version number among them. */
void musl_version(const struct target *t, const struct target_region *r, char *out, size_t size)
{
	int found = 0;

	*out = 0;
	if (r->main_program) return;
	char *buf = xmalloc(TEXT_MAX);

	for (size_t i = 0; i < t->maps.n && found < 2; i++) {
		const struct map *m = &t->maps.map[i];
		if (m->write || !m->read || m->exec || strcmp(m->path, r->path)) continue;
		size_t n = m->end - m->start < TEXT_MAX ? (size_t)(m->end - m->start) : TEXT_MAX;
		struct image image;
		image_open(&image, t, m);
		n = image_read(&image, m->start, buf, n);
		image_close(&image);
		for (size_t j = 1; j < n; j++) {
			size_t len = !isprint((unsigned char)buf[j - 1]) && buf[j] == '1' ? version_at(buf + j, n - j) : 0;
			if (!len || len >= size) continue;
			/* a page of the file may be mapped twice, where its segments meet */
			if (found && !strcmp(out, buf + j)) continue;
			if (!found++) memcpy(out, buf + j, len + 1);
		}
	}
	free(buf);
	if (found != 1) *out = 0;
}
