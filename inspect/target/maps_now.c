/* maps_now.c: maps_now, see maps.h. Most of what reading /proc/PID/maps takes is spelling out the names of files, 1 us and more for each line. Since
 * Linux 6.11 an ioctl tells of one mapping without its name, in a third of that. */
#include "inspect/target/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

/* linux/fs.h of 6.11; older headers do not have it. */
struct query {
	uint64_t size, flags, addr, start, end, vma_flags, page_size, offset, inode;
	uint32_t dev_major, dev_minor, name_size, build_id_size;
	uint64_t name, build_id;
};
#define QUERY _IOWR('f', 17, struct query)
enum { READABLE = 1, WRITABLE = 2, EXECUTABLE = 4, SHARED = 8, OR_NEXT = 16 };

enum { MAPS_MAX = 2 << 20, NAMES_MAX = 64 << 10 };

struct walk {
	int fd;
	struct maps *m;
	size_t cap, names;              /* of the text: new mappings' names */
	const struct maps *before; size_t known;
};

/* 0, or the error. */
static int ask(const struct walk *w, struct query *q, uint64_t addr, uint64_t flags)
{
	*q = (struct query){ .size = sizeof *q, .addr = addr, .flags = flags };
	return ioctl(w->fd, QUERY, q) < 0 ? errno : 0;
}

static int is_same(const struct map *m, const struct query *q)
{
	return m->start == q->start && m->end == q->end && m->offset == q->offset && m->inode == q->inode && m->dev_major == q->dev_major && m->dev_minor == q->dev_minor;
}

/* It is asked for again, with a place for its name. */
static int take_name(struct walk *w, struct map *to, const struct query *q)
{
	struct query again = { .size = sizeof again, .addr = q->start, .name = (uintptr_t)(w->m->text + w->names), .name_size = (uint32_t)(NAMES_MAX - w->names) };

	if (ioctl(w->fd, QUERY, &again) < 0) return errno;
	if (again.start != q->start || again.name_size > NAMES_MAX - w->names) return EAGAIN;
	if (!again.name_size) return 0;
	to->path = w->m->text + w->names;
	to->deleted = (uint8_t)maps_cut_deleted(w->m->text + w->names);
	w->names += again.name_size;
	return 0;
}

static int take(struct walk *w, const struct query *q)
{
	struct maps *m = w->m;

	if (m->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 256;
		m->map = xreallocarray(m->map, w->cap, sizeof *m->map);
	}
	struct map *to = &m->map[m->n];
	*to = (struct map){ .start = q->start, .end = q->end, .offset = q->offset, .inode = q->inode, .dev_major = q->dev_major, .dev_minor = q->dev_minor,
	                    .read = q->vma_flags & READABLE, .write = !!(q->vma_flags & WRITABLE), .exec = !!(q->vma_flags & EXECUTABLE), .shared = !!(q->vma_flags & SHARED), .path = "" };
	while (w->known < w->before->n && w->before->map[w->known].start < q->start) w->known++;
	const struct map *old = w->known < w->before->n ? &w->before->map[w->known] : NULL;
	if (old && is_same(old, q)) to->path = old->path, to->deleted = old->deleted;
	else {
		int sys = take_name(w, to, q);
		if (sys) return sys;
	}
	m->n++;
	return 0;
}

/* What is no file's and comes before the next one, where something lies there. */
static int take_neighbour(struct walk *w, uint64_t start)
{
	struct query q;
	size_t n = w->m->n;

	if (!start || (n && w->m->map[n - 1].end == start)) return 0;
	int sys = ask(w, &q, start - 1, 0);
	if (sys) return sys == ENOENT ? 0 : sys;
	return n && q.start < w->m->map[n - 1].end ? EAGAIN : take(w, &q);
}

static int walk(struct walk *w, enum maps_part part)
{
	uint64_t at = 0, filter = OR_NEXT | (part == MAPS_CODE ? EXECUTABLE : 0);
	struct query q;
	int sys;

	for (; !(sys = ask(w, &q, at, filter)); at = q.end) {
		if (q.end <= at || q.start >= q.end || w->m->n > MAPS_MAX) return EAGAIN;
		if (part == MAPS_CODE && !q.inode && (sys = take_neighbour(w, q.start))) return sys;
		if ((sys = take(w, &q))) return sys;
	}
	return sys == ENOENT ? 0 : sys;
}

int maps_now(struct maps *m, pid_t pid, enum maps_part part, const struct maps *before, struct err *e)
{
	struct walk w = { .m = m, .before = before };
	char path[64];

	*m = (struct maps){ .text = xmalloc(NAMES_MAX) };
	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	w.fd = open(path, O_RDONLY | O_CLOEXEC);
	int sys = w.fd < 0 ? errno : walk(&w, part);
	if (w.fd >= 0) close(w.fd);
	if (!sys) return 0;
	maps_free(m);
	/* an older kernel; one mapping with more of a name than there is room for; whatever else: text says the same, or what is wrong */
	return maps_read(m, pid, e);
}
