/* maps.c: reads /proc/PID/maps. See maps.h. The kernel writes it in pieces while the target runs on, so a line may repeat or
 * overlap the one before: those are dropped, and the result is always ascending and without overlap. */
#include "inspect/target/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { TEXT_MAX = 256 << 20 };          /* over two million mappings */

static int number(const char **s, int base, char end, uint64_t *out)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = *s, *d;
	uint64_t v = 0;
	for (; *p && (d = memchr(digits, *p, (size_t)base)); p++) {
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)(d - digits), &v)) return -1;
	}
	if (p == *s || (end && *p != end)) return -1;
	*s = p + (end != 0);
	*out = v;
	return 0;
}

/* The kernel writes a newline in a path as \012, and nothing else so. */
static void unescape(char *s)
{
	char *to = s;
	for (; *s; s++) {
		if (!strncmp(s, "\\012", 4)) {
			*to++ = '\n';
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = 0;
}

int maps_same_file(const struct map *a, const struct map *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

int maps_cut_deleted(char *path)
{
	static const char gone[] = " (deleted)";
	size_t n = strlen(path), cut = sizeof gone - 1;
	if (n <= cut || strcmp(path + n - cut, gone)) return 0;
	path[n - cut] = 0;
	return 1;
}

static char *path_of(const char *s, struct map *m)
{
	char *path = (char *)s;
	while (*path == ' ') path++;
	m->deleted = (uint8_t)maps_cut_deleted(path);
	unescape(path);
	return path;
}

/* 55d0-55e0 r-xp 00000000 fe:01 1234      /path (deleted) */
static int parse_line(char *line, struct map *m)
{
	const char *s = line;
	uint64_t major, minor;
	*m = (struct map){0};
	if (number(&s, 16, '-', &m->start) || number(&s, 16, ' ', &m->end) || m->start >= m->end) return -1;
	if (strnlen(s, 5) < 5 || s[4] != ' ') return -1;
	m->read = s[0] == 'r';
	m->write = s[1] == 'w';
	m->exec = s[2] == 'x';
	m->shared = s[3] == 's';
	s += 5;
	if (number(&s, 16, ' ', &m->offset) || number(&s, 16, ':', &major) || number(&s, 16, ' ', &minor)) return -1;
	if (number(&s, 10, 0, &m->inode) || (*s && *s != ' ')) return -1;
	m->dev_major = (uint32_t)major;
	m->dev_minor = (uint32_t)minor;
	m->path = path_of(s, m);
	return 0;
}

/* Takes over `text`, n bytes and a terminator. */
static int parse(struct maps *m, char *text, size_t n, struct err *e)
{
	size_t cap = 0, lineno = 0;
	*m = (struct maps){.text = text};
	for (char *line = text, *end; line < text + n; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + n - line));
		if (!end) end = text + n;
		*end = 0;
		lineno++;
		if (m->n == cap) {
			cap = cap ? cap * 2 : 64;
			m->map = xreallocarray(m->map, cap, sizeof *m->map);
		}
		struct map *new = &m->map[m->n];
		if (parse_line(line, new)) {
			err_set(e, ERR_FAIL, "reading memory maps: line %zu is not in the kernel's format: %.80s", lineno, line);
			maps_free(m);
			return -1;
		}
		if (!m->n || new->start >= new[-1].end) m->n++;
	}
	return 0;
}

int maps_parse(struct maps *m, const char *text, size_t n, struct err *e)
{
	char *copy = xmalloc(n + 1);
	memcpy(copy, text, n);
	copy[n] = 0;
	return parse(m, copy, n, e);
}

int maps_read(struct maps *m, pid_t pid, struct err *e)
{
	char path[64];
	*m = (struct maps){0};
	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return err_sys(e, errno, "pid %d: reading its memory maps", (int)pid);

	char *text = NULL;
	size_t n = 0, cap = 0;
	ssize_t r;
	do {
		if (cap - n < 1 << 15) {
			cap = cap ? cap * 2 : 1 << 16;
			text = xreallocarray(text, cap, 1);
		}
		r = read(fd, text + n, cap - n - 1);
		if (r > 0) n += (size_t)r;
	} while ((r > 0 || (r < 0 && errno == EINTR)) && n < TEXT_MAX);
	int sys = errno;
	close(fd);
	if (r != 0) {
		free(text);
		if (r < 0) return err_sys(e, sys, "pid %d: reading its memory maps", (int)pid);
		return err_set(e, ERR_UNSUPPORTED, "pid %d: more than %d MiB of memory maps", (int)pid, TEXT_MAX >> 20);
	}
	text[n] = 0;
	return parse(m, text, n, e);
}

void maps_free(struct maps *m)
{
	free(m->map);
	free(m->text);
	*m = (struct maps){0};
}

const struct map *maps_find(const struct maps *m, uint64_t addr)
{
	size_t lo = 0, hi = m->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (m->map[mid].end <= addr) lo = mid + 1;
		else hi = mid;
	}
	return lo < m->n && m->map[lo].start <= addr ? &m->map[lo] : NULL;
}
