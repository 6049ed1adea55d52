/* cache.c: an entry is a header and four arrays, read whole. See cache.h. Written beside and renamed, so that a reader sees the
 * old one or the new one. */
#include "inspect/symbol/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "inspect/symbol/names.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/xalloc.h"

enum {
	VERSION = 1,
	ADDRS_MAX = 1 << 20,
	ENTRY_MAX = 64 << 20,           /* bytes of one entry */
	TOTAL_MAX = 256 << 20,          /* bytes of all: the oldest go first */
	FRAMES_MAX = 256,               /* of one address */
};

struct head {
	char magic[8];
	uint32_t version, crc;          /* crc: of all that follows the head */
	uint64_t key;
	uint32_t addrs, frames, strings;        /* how many, how many, bytes */
	uint32_t reserved;
};
struct row { uint64_t vaddr; uint32_t first, n; };
struct cell { uint32_t function, linkage, file, line, start_line, inlined; };

struct added { uint64_t vaddr; const struct symbol_frame *frames; size_t n; };

struct cache {
	int dir;
	char name[160];
	char *data;                     /* the entry as read, NULL without */
	struct head head;
	const struct row *row;
	const struct cell *cell;
	const char *strings;
	struct added *added;
	size_t n, cap;
	uint64_t key;
};

static const char magic[8] = "ATSYMBOL";

/* A directory of ours that nobody else can write to, made when it is missing. -1 otherwise. */
static int own_dir(int at, const char *name)
{
	struct stat st;
	mkdirat(at, name, 0700);
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (at == AT_FDCWD ? 0 : O_NOFOLLOW));
	if (fd >= 0 && !fstat(fd, &st) && st.st_uid == geteuid() && !(st.st_mode & 022)) return fd;
	if (fd >= 0) close(fd);
	return -1;
}

static int open_dir(void)
{
	static const char *const below[] = {"alloctop", "symbols"};
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char path[4096];
	if (base && *base == '/') snprintf(path, sizeof path, "%s", base);
	else if (home && *home == '/') snprintf(path, sizeof path, "%s/.cache", home);
	else return -1;
	int fd = own_dir(AT_FDCWD, path);
	for (int i = 0; i < 2 && fd >= 0; i++) {
		int next = own_dir(fd, below[i]);
		close(fd);
		fd = next;
	}
	return fd;
}

static char *read_all(int dir, const char *name, size_t *size)
{
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *data = NULL;
	if (fd < 0) return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022) &&
	    st.st_size >= (off_t)sizeof(struct head) && st.st_size <= ENTRY_MAX) {
		data = xmalloc((size_t)st.st_size);
		*size = (size_t)st.st_size;
		if (read(fd, data, *size) != st.st_size) { free(data); data = NULL; }
	}
	close(fd);
	return data;
}

/* All that cache_find relies upon. */
static int load(struct cache *c, size_t size)
{
	struct head *h = &c->head;
	memcpy(h, c->data, sizeof *h);
	if (memcmp(h->magic, magic, sizeof magic) || h->version != VERSION || h->key != c->key) return -1;
	if (h->addrs > ADDRS_MAX || h->frames > ENTRY_MAX || h->strings > ENTRY_MAX || !h->strings) return -1;
	if (size != sizeof *h + h->addrs * sizeof *c->row + h->frames * sizeof *c->cell + h->strings) return -1;
	if (crc32(0, (Bytef *)c->data + sizeof *h, (uInt)(size - sizeof *h)) != h->crc) return -1;
	c->row = (const struct row *)(c->data + sizeof *h);
	c->cell = (const struct cell *)(c->row + h->addrs);
	c->strings = (const char *)(c->cell + h->frames);
	if (c->strings[h->strings - 1]) return -1;
	for (uint32_t i = 0; i < h->addrs; i++) {
		const struct row *r = &c->row[i];
		if (r->n > FRAMES_MAX || r->first > h->frames || r->n > h->frames - r->first) return -1;
		if (i && r->vaddr <= r[-1].vaddr) return -1;
	}
	for (uint32_t i = 0; i < h->frames; i++) {
		const struct cell *f = &c->cell[i];
		if (f->function >= h->strings || f->linkage >= h->strings || f->file >= h->strings) return -1;
	}
	return 0;
}

struct cache *cache_open(const uint8_t *build_id, unsigned size, uint64_t key)
{
	int dir = key && size ? open_dir() : -1;
	if (dir < 0) return NULL;
	struct cache *c = xcalloc(1, sizeof *c);
	size_t n = 0, bytes;
	c->dir = dir;
	c->key = key;
	for (unsigned i = 0; i < size && i < 40; i++) n += (size_t)snprintf(c->name + n, sizeof c->name - n, "%02x", build_id[i]);
	snprintf(c->name + n, sizeof c->name - n, "-%016llx", (unsigned long long)key);
	c->data = read_all(dir, c->name, &bytes);
	if (c->data && load(c, bytes)) {
		free(c->data);
		c->data = NULL;
	}
	if (!c->data) c->head = (struct head){0};
	return c;
}

static const struct row *find_row(const struct cache *c, uint64_t vaddr)
{
	size_t lo = 0, hi = c->head.addrs;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (c->row[mid].vaddr < vaddr) lo = mid + 1;
		else hi = mid;
	}
	return lo < c->head.addrs && c->row[lo].vaddr == vaddr ? &c->row[lo] : NULL;
}

static struct symbol_frame frame_of(const struct cache *c, const struct cell *f, struct names *names)
{
	return (struct symbol_frame){
		.function = names_keep(names, c->strings + f->function),
		.linkage = names_keep(names, c->strings + f->linkage),
		.file = names_keep(names, c->strings + f->file),
		.line = f->line, .start_line = f->start_line, .inlined = f->inlined != 0,
	};
}

int cache_find(struct cache *c, uint64_t vaddr, struct symbol_frame *frames, size_t max, struct names *names)
{
	const struct row *r = find_row(c, vaddr);
	if (!r) return -1;
	size_t n = r->n < max ? r->n : max;
	for (size_t i = 0; i < n; i++) frames[i] = frame_of(c, &c->cell[r->first + i], names);
	return (int)n;
}

void cache_add(struct cache *c, uint64_t vaddr, const struct symbol_frame *frames, size_t n)
{
	if (c->n == ADDRS_MAX || n > FRAMES_MAX) return;
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 256;
		c->added = xreallocarray(c->added, c->cap, sizeof *c->added);
	}
	c->added[c->n++] = (struct added){vaddr, frames, n};
}

/* ---- writing ---- */

/* What goes into an entry: the added ones, and the old ones beside them while there is room. */
static struct symbol_frame *old_frames(struct cache *c, struct names *names)
{
	struct symbol_frame *all = xcalloc(c->head.frames + 1, sizeof *all);
	for (uint32_t i = 0; i < c->head.frames; i++) all[i] = frame_of(c, &c->cell[i], names);
	for (uint32_t i = 0; i < c->head.addrs; i++) cache_add(c, c->row[i].vaddr, all + c->row[i].first, c->row[i].n);
	return all;
}

static int by_vaddr(const void *a, const void *b)
{
	const struct added *x = a, *y = b;
	return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static int by_pointer(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	return (x > y) - (x < y);
}

struct table { const char **string; uint32_t *offset; size_t n; uint32_t bytes; };

/* Each string once: kept strings are equal only where their pointers are. */
static void tabulate(const struct cache *c, size_t nframes, struct table *t)
{
	*t = (struct table){.string = xcalloc(nframes * 3 + 1, sizeof *t->string)};
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < c->added[i].n; k++) {
			const struct symbol_frame *f = &c->added[i].frames[k];
			t->string[n++] = f->function;
			t->string[n++] = f->linkage;
			t->string[n++] = f->file;
		}
	qsort(t->string, n, sizeof *t->string, by_pointer);
	t->offset = xcalloc(n + 1, sizeof *t->offset);
	for (size_t i = 0; i < n; i++) {
		if (t->n && t->string[t->n - 1] == t->string[i]) continue;
		t->string[t->n] = t->string[i];
		t->offset[t->n++] = t->bytes;
		size_t len = strlen(t->string[i]) + 1;
		t->bytes = t->bytes + len > ENTRY_MAX ? ENTRY_MAX : t->bytes + (uint32_t)len;
	}
}

static uint32_t offset_of(const struct table *t, const char *s)
{
	const char **at = bsearch(&s, t->string, t->n, sizeof *t->string, by_pointer);
	return t->offset[at - t->string];
}

/* The bytes of the new entry, NULL when it would be too large. */
static char *compose(const struct cache *c, size_t *size)
{
	struct table t;
	size_t frames = 0;
	for (size_t i = 0; i < c->n; i++) frames += c->added[i].n;
	if (frames > ENTRY_MAX / sizeof(struct cell)) return NULL;
	tabulate(c, frames, &t);
	if (!t.bytes) t.bytes = 1;
	char *data = NULL;
	*size = sizeof(struct head) + c->n * sizeof(struct row) + frames * sizeof(struct cell) + t.bytes;
	if (*size <= ENTRY_MAX) {
		data = xcalloc(1, *size);
		struct head h = {.version = VERSION, .key = c->key, .addrs = (uint32_t)c->n, .frames = (uint32_t)frames, .strings = t.bytes};
		struct row *row = (struct row *)(data + sizeof h);
		struct cell *cell = (struct cell *)(row + c->n);
		char *strings = (char *)(cell + frames);
		uint32_t at = 0;
		for (size_t i = 0; i < c->n; i++) {
			const struct added *a = &c->added[i];
			row[i] = (struct row){a->vaddr, at, (uint32_t)a->n};
			for (size_t k = 0; k < a->n; k++, at++) {
				const struct symbol_frame *f = &a->frames[k];
				cell[at] = (struct cell){offset_of(&t, f->function), offset_of(&t, f->linkage), offset_of(&t, f->file),
				                         f->line, f->start_line, f->inlined};
			}
		}
		for (size_t i = 0; i < t.n; i++) memcpy(strings + t.offset[i], t.string[i], strlen(t.string[i]) + 1);
		memcpy(h.magic, magic, sizeof magic);
		h.crc = (uint32_t)crc32(0, (Bytef *)data + sizeof h, (uInt)(*size - sizeof h));
		memcpy(data, &h, sizeof h);
	}
	free(t.string);
	free(t.offset);
	return data;
}

/* Removes the oldest entries until there is room for `more` bytes. */
static void prune(int dir, uint64_t more)
{
	for (int removed = 0; removed < 64; removed++) {
		uint64_t total = more;
		char oldest[256] = "";
		struct timespec age = {0};
		struct stat st;
		int fd = fcntl(dir, F_DUPFD_CLOEXEC, 0);
		DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
		if (!d) return;
		rewinddir(d);
		for (struct dirent *de; (de = readdir(d));) {
			if (*de->d_name == '.' || fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) continue;
			total += (uint64_t)st.st_size;
			if (*oldest && (st.st_mtim.tv_sec > age.tv_sec || (st.st_mtim.tv_sec == age.tv_sec && st.st_mtim.tv_nsec > age.tv_nsec)))
				continue;
			snprintf(oldest, sizeof oldest, "%.255s", de->d_name);
			age = st.st_mtim;
		}
		closedir(d);
		if (total <= TOTAL_MAX || !*oldest || unlinkat(dir, oldest, 0)) return;
	}
}

static void write_entry(struct cache *c, const char *data, size_t size)
{
	char tmp[200];
	snprintf(tmp, sizeof tmp, "%s.%d", c->name, (int)getpid());
	unlinkat(c->dir, tmp, 0);
	int fd = openat(c->dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) return;
	size_t done = 0;
	for (ssize_t r; done < size && (r = write(fd, data + done, size - done)) > 0;) done += (size_t)r;
	if (close(fd) || done != size || renameat(c->dir, tmp, c->dir, c->name)) unlinkat(c->dir, tmp, 0);
}

void cache_close(struct cache *c, struct names *names)
{
	if (!c) return;
	if (c->n) {
		struct symbol_frame *old = old_frames(c, names);
		size_t size, n = 0;
		qsort(c->added, c->n, sizeof *c->added, by_vaddr);
		for (size_t i = 0; i < c->n; i++)
			if (!n || c->added[n - 1].vaddr != c->added[i].vaddr) c->added[n++] = c->added[i];
		c->n = n;
		char *data = compose(c, &size);
		if (data) {
			prune(c->dir, size);
			write_entry(c, data, size);
		}
		free(data);
		free(old);
	}
	close(c->dir);
	free(c->added);
	free(c->data);
	free(c);
}
