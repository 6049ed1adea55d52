/* perfmap.c: lines "START SIZE NAME" in hexadecimal, appended as code is made. See perfmap.h. A later line wins over an earlier
 * one for the same address: memory of dropped code is used again. */
#include "inspect/symbol/perfmap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/symbol/root.h"
#include "inspect/symbol/span.h"
#include "inspect/target/xalloc.h"

enum { BYTES_MAX = 512 << 20, PIECE = 1 << 20, OVERLAPS_MAX = 1024 };

struct perfmap {
	int root;
	uid_t owner;
	char path[64];
	dev_t dev; ino_t ino;
	off_t seen, size;               /* bytes of whole lines taken in; size when last looked at */
	char *text;                     /* names, one after the other */
	size_t used, cap;
	size_t *name;                   /* offset in text, by id */
	size_t n, ncap;
	struct spans spans;             /* id: number of the line */
};

struct perfmap *perfmap_open(int root, pid_t inner_pid, uid_t owner)
{
	struct perfmap *p = xcalloc(1, sizeof *p);
	p->root = root;
	p->owner = owner;
	snprintf(p->path, sizeof p->path, "/tmp/perf-%d.map", (int)inner_pid);
	return p;
}

static void forget(struct perfmap *p)
{
	free(p->text);
	free(p->name);
	spans_free(&p->spans);
	p->text = NULL;
	p->name = NULL;
	p->used = p->cap = p->n = p->ncap = 0;
	p->seen = p->size = 0;
}

void perfmap_close(struct perfmap *p)
{
	if (!p) return;
	forget(p);
	free(p);
}

static void take_line(struct perfmap *p, char *line)
{
	char *s, *name;
	unsigned long long start = strtoull(line, &s, 16);
	if (s == line || *s != ' ') return;
	unsigned long long size = strtoull(s, &name, 16);
	if (name == s || *name != ' ' || !size || size > UINT64_MAX - start) return;
	size_t len = strlen(++name) + 1;
	if (p->used + len > p->cap) {
		p->cap = (p->used + len) * 2;
		p->text = xreallocarray(p->text, p->cap, 1);
	}
	if (p->n == p->ncap) {
		p->ncap = p->ncap ? p->ncap * 2 : 1024;
		p->name = xreallocarray(p->name, p->ncap, sizeof *p->name);
	}
	memcpy(p->text + p->used, name, len);
	p->name[p->n] = p->used;
	p->used += len;
	spans_add(&p->spans, start, start + size, (uint32_t)p->n++);
}

/* Takes in the whole lines from p->seen on; a line that is being written waits for the next time. */
static void read_on(struct perfmap *p, int fd)
{
	char *buf = xmalloc(PIECE + 1);
	ssize_t r;
	while (p->seen < BYTES_MAX && (r = pread(fd, buf, PIECE, p->seen)) > 0) {
		char *end = memrchr(buf, '\n', (size_t)r);
		if (!end && r < PIECE) break;
		size_t whole = end ? (size_t)(end - buf) + 1 : (size_t)r;      /* no newline in a whole piece: not a line */
		buf[whole] = 0;
		for (char *line = buf, *nl; (nl = memchr(line, '\n', (size_t)(buf + whole - line))); line = nl + 1) {
			*nl = 0;
			take_line(p, line);
		}
		p->seen += (off_t)whole;
	}
	free(buf);
	spans_sort(&p->spans);
}

/* Is there more in the file than was read? Then it is read. */
static int refresh(struct perfmap *p)
{
	struct stat st;
	int fd = root_file(p->root, p->path), more = 0;
	if (fd < 0) return 0;
	/* /tmp is everybody's: a file that neither the target's user nor root wrote says nothing about the target */
	if (!fstat(fd, &st) && (st.st_uid == p->owner || st.st_uid == 0)) {
		if (st.st_dev != p->dev || st.st_ino != p->ino || st.st_size < p->size) forget(p);
		more = st.st_size != p->size;
		p->dev = st.st_dev;
		p->ino = st.st_ino;
		p->size = st.st_size;
		if (more) read_on(p, fd);
	}
	close(fd);
	return more;
}

static const char *newest(const struct perfmap *p, uint64_t addr)
{
	const struct span *best = NULL;
	int n = 0;
	for (const struct span *s = NULL; n++ < OVERLAPS_MAX && (s = spans_find(&p->spans, addr, s));)
		if (!best || s->id > best->id) best = s;
	return best ? p->text + p->name[best->id] : NULL;
}

const char *perfmap_find(struct perfmap *p, uint64_t addr)
{
	const char *name = newest(p, addr);
	return !name && refresh(p) ? newest(p, addr) : name;
}
