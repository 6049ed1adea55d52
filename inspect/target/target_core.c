/* target_core.c: a core file as a struct target, whoever wrote it: the kernel or gcore. The notes give threads, registers, auxiliary
 * vector and names of mapped files; what was not written (code, read-only data) is read from those files, below a sysroot when one is
 * given. A core file is hostile input as a process is. */
#include "inspect/target/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum {
	SEGMENTS_MAX = 1 << 20, NOTE_MAX = 64 << 20, FILES_MAX = 1 << 20, THREADS_MAX = 1 << 20, PAGE = 4096,
	/* struct elf_prstatus and struct elf_prpsinfo of 64-bit Linux */
	PRSTATUS_PID = 32, PRSTATUS_REGS = 112, PRPSINFO_PID = 24, PRPSINFO_NAME = 40, PRPSINFO_ARGS = 56, PRPSINFO_SIZE = 136,
	FS_BASE = 21, PRSTATUS_MIN = PRSTATUS_REGS + (FS_BASE + 1) * 8,
};

struct segment { uint64_t start, size, in_file, offset; uint32_t flags; const struct core_file *file; uint64_t file_offset; };
struct core_file { uint64_t start, end, offset; const char *path; int fd; /* -2: not opened yet */ size_t first; /* of this path */ };

struct core {
	struct mem mem;
	int fd;
	const char *name, *exe, *sysroot;
	uint64_t size;
	struct segment *segment; size_t nsegments;
	struct core_file *file; size_t nfiles;
	unsigned char *note; size_t nnote;
	char *exe_copy, *sysroot_copy;
	uint64_t at_entry, at_vdso;
	struct target *t;               /* while it is opened */
};

static int by_start(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static struct segment *segment_of(const struct core *c, uint64_t addr)
{
	size_t lo = 0, hi = c->nsegments;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (c->segment[mid].start + c->segment[mid].size <= addr) lo = mid + 1;
		else hi = mid;
	}
	return lo < c->nsegments && c->segment[lo].start <= addr ? &c->segment[lo] : NULL;
}

/* A regular file or nothing: a core file may name any path. */
static int open_regular(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int holds_entry(const struct core *c, size_t first)
{
	for (size_t i = 0; i < c->nfiles; i++)
		if (c->file[i].first == first && c->at_entry >= c->file[i].start && c->at_entry < c->file[i].end) return 1;
	return 0;
}

/* The file behind a mapping, opened once for all mappings of it. */
static int file_fd(const struct core *c, const struct core_file *any)
{
	struct core_file *f = &c->file[any->first];

	if (f->fd == -2) {
		char *path = c->exe && holds_entry(c, any->first) ? xstrdup(c->exe) : xasprintf("%s%s", c->sysroot ? c->sysroot : "", f->path);
		f->fd = open_regular(path);
		free(path);
	}
	return f->fd;
}

static ssize_t core_read(struct mem *m, uint64_t addr, void *buf, size_t n)
{
	const struct core *c = (const struct core *)m;
	const struct segment *s = segment_of(c, addr);
	uint64_t at = s ? addr - s->start : 0;
	ssize_t r = -1;

	errno = EFAULT;
	if (!s) return -1;
	if (n > s->size - at) n = (size_t)(s->size - at);
	if (at < s->in_file) {
		if (n > s->in_file - at) n = (size_t)(s->in_file - at);
		r = pread(c->fd, buf, n, (off_t)(s->offset + at));
	} else if (s->file && !(s->flags & PF_W) && file_fd(c, s->file) >= 0) {
		r = pread(file_fd(c, s->file), buf, n, (off_t)(s->file_offset + at));
	}
	if (r <= 0) errno = EFAULT;
	return r > 0 ? r : -1;
}

static void core_close(struct mem *m)
{
	struct core *c = (struct core *)m;

	for (size_t i = 0; i < c->nfiles; i++)
		if (c->file[i].fd >= 0) close(c->file[i].fd);
	if (c->fd >= 0) close(c->fd);
	free(c->segment);
	free(c->file);
	free(c->note);
	free(c->exe_copy);
	free(c->sysroot_copy);
	free(c);
}

static const struct mem_ops core_ops = { .name = "core file", .read = core_read, .close = core_close };

static uint64_t word(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* count, page size, count times start, end, offset in pages; then as many names. */
static void note_files(struct core *c, const unsigned char *d, size_t n)
{
	uint64_t count = n >= 16 ? word(d) : 0, page = n >= 16 ? word(d + 8) : 0;

	if (c->file || !count || count > FILES_MAX || count > (n - 16) / 25 || page > 1 << 20) return;
	const char *name = (const char *)d + 16 + count * 24, *end = (const char *)d + n;
	c->file = xcalloc((size_t)count, sizeof *c->file);
	for (size_t i = 0; i < count && name < end; i++) {
		const char *stop = memchr(name, 0, (size_t)(end - name));
		if (!stop) break;
		struct core_file *f = &c->file[c->nfiles];
		*f = (struct core_file){ word(d + 16 + i * 24), word(d + 24 + i * 24), word(d + 32 + i * 24) * page, name, -2, c->nfiles };
		/* mappings of one file stand together */
		for (size_t k = c->nfiles; k-- > 0 && c->nfiles - k < 16;)
			if (!strcmp(c->file[k].path, name)) f->first = c->file[k].first;
		c->nfiles++;
		name = stop + 1;
	}
}

static void note_auxv(struct core *c, const unsigned char *d, size_t n)
{
	for (; n >= 16; d += 16, n -= 16) {
		uint64_t v = word(d + 8);
		switch (word(d)) {
		case AT_RANDOM: c->t->at_random = v; break;
		case AT_ENTRY: c->t->at_entry = c->at_entry = v; break;
		case AT_PHDR: c->t->at_phdr = v; break;
		case AT_SYSINFO_EHDR: c->at_vdso = v; break;
		}
	}
}

static void note_thread(struct target *t, const unsigned char *d, size_t n)
{
	if (n < PRSTATUS_MIN || t->nthreads == THREADS_MAX) return;
	if (!(t->nthreads & (t->nthreads - 1))) t->thread = xreallocarray(t->thread, t->nthreads ? t->nthreads * 2 : 1, sizeof *t->thread);
	struct target_thread *th = &t->thread[t->nthreads++];
	*th = (struct target_thread){ .tp = word(d + PRSTATUS_REGS + FS_BASE * 8) };
	memcpy(&th->tid, d + PRSTATUS_PID, 4);
	th->inner = th->tid;
}

static void plain(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f) *s = '?';
}

static void note_process(struct target *t, const unsigned char *d, size_t n)
{
	if (n < PRPSINFO_SIZE) return;
	memcpy(&t->proc.pid, d + PRPSINFO_PID, 4);
	snprintf(t->proc.comm, sizeof t->proc.comm, "%.15s", d + PRPSINFO_NAME);
	snprintf(t->proc.cmdline, sizeof t->proc.cmdline, "%.80s", d + PRPSINFO_ARGS);
	plain(t->proc.comm);
	plain(t->proc.cmdline);
}

static void read_notes(struct core *c)
{
	size_t at = 0;

	while (c->nnote - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr h;
		memcpy(&h, c->note + at, sizeof h);
		size_t name = at + sizeof h, desc = name + (((size_t)h.n_namesz + 3) & ~(size_t)3), next = desc + (((size_t)h.n_descsz + 3) & ~(size_t)3);
		if (desc > c->nnote || h.n_descsz > c->nnote - desc) break;
		if (h.n_type == NT_PRSTATUS) note_thread(c->t, c->note + desc, h.n_descsz);
		else if (h.n_type == NT_PRPSINFO) note_process(c->t, c->note + desc, h.n_descsz);
		else if (h.n_type == NT_AUXV) note_auxv(c, c->note + desc, h.n_descsz);
		else if (h.n_type == NT_FILE) note_files(c, c->note + desc, h.n_descsz);
		if (next > c->nnote) break;
		at = next;
	}
}

static int broken(const struct core *c, struct err *e, const char *what)
{
	return err_set(e, ERR_FAIL, "core file %s: %s", c->name, what);
}

static int read_headers(struct core *c, struct err *e)
{
	Elf64_Ehdr eh;
	Elf64_Shdr sh;
	size_t n;

	if (pread(c->fd, &eh, sizeof eh, 0) != sizeof eh || memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_type != ET_CORE)
		return broken(c, e, "it is no ELF core file");
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64)
		return err_set(e, ERR_UNSUPPORTED, "core file %s: only those of x86-64 can be read", c->name);
	n = eh.e_phnum;
	if (n == PN_XNUM && pread(c->fd, &sh, sizeof sh, (off_t)eh.e_shoff) == sizeof sh) n = sh.sh_info;
	if (!n || n > SEGMENTS_MAX || eh.e_phentsize != sizeof(Elf64_Phdr)) return broken(c, e, "its program headers make no sense");
	Elf64_Phdr *ph = xcalloc(n, sizeof *ph);
	if (pread(c->fd, ph, n * sizeof *ph, (off_t)eh.e_phoff) != (ssize_t)(n * sizeof *ph)) {
		free(ph);
		return broken(c, e, "it ends within its program headers");
	}
	c->segment = xcalloc(n, sizeof *c->segment);
	for (size_t i = 0; i < n; i++) {
		uint64_t left = ph[i].p_offset < c->size ? c->size - ph[i].p_offset : 0;
		if (ph[i].p_type == PT_NOTE && !c->note && ph[i].p_filesz && ph[i].p_filesz <= NOTE_MAX && ph[i].p_filesz <= left) {
			c->note = xmalloc(ph[i].p_filesz);
			ssize_t got = pread(c->fd, c->note, ph[i].p_filesz, (off_t)ph[i].p_offset);
			c->nnote = got > 0 ? (size_t)got : 0;
		}
		if (ph[i].p_type != PT_LOAD || !ph[i].p_memsz || ph[i].p_vaddr >> 63 || ph[i].p_vaddr % PAGE || ph[i].p_memsz > UINT64_MAX / 2 - ph[i].p_vaddr) continue;
		uint64_t there = ph[i].p_filesz < left ? ph[i].p_filesz : left;
		if (there > ph[i].p_memsz) there = ph[i].p_memsz;
		c->segment[c->nsegments++] = (struct segment){ ph[i].p_vaddr, ph[i].p_memsz, there, ph[i].p_offset, ph[i].p_flags, NULL, 0 };
	}
	free(ph);
	qsort(c->segment, c->nsegments, sizeof *c->segment, by_start);
	return c->nsegments ? 0 : broken(c, e, "there is no memory in it");
}

/* gcore leaves out what it can find in files: a mapped file without a segment is code or read-only data. */
static void add_left_out(struct core *c)
{
	size_t n = c->nsegments;

	c->segment = xreallocarray(c->segment, n + c->nfiles + 1, sizeof *c->segment);
	for (size_t i = 0; i < c->nfiles; i++) {
		const struct core_file *f = &c->file[i];
		size_t lo = 0, hi = n;
		if (f->end <= f->start || f->start % PAGE || f->end > UINT64_MAX / 2) continue;
		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;
			if (c->segment[mid].start + c->segment[mid].size <= f->start) lo = mid + 1;
			else hi = mid;
		}
		if (lo < n && c->segment[lo].start < f->end) continue;
		c->segment[c->nsegments++] = (struct segment){ f->start, f->end - f->start, 0, 0, PF_R | PF_X, NULL, 0 };
	}
	qsort(c->segment, c->nsegments, sizeof *c->segment, by_start);
}

/* Which file each segment is of. Both are in ascending order. */
static void match_files(struct core *c)
{
	for (size_t i = 0, k = 0; i < c->nsegments; i++) {
		struct segment *s = &c->segment[i];
		while (k < c->nfiles && c->file[k].end <= s->start) k++;
		if (k == c->nfiles || c->file[k].start > s->start) continue;
		s->file = &c->file[k];
		s->file_offset = c->file[k].offset + (s->start - c->file[k].start);
	}
}

/* The maps, by way of the kernel's own format, so that there is one way to make them. */
static int make_maps(struct core *c, struct err *e)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	int status;

	if (!f) return err_sys(e, errno, "core file %s: listing its memory", c->name);
	for (size_t i = 0; i < c->nsegments; i++) {
		const struct segment *s = &c->segment[i];
		uint64_t end = s->start + s->size;
		fprintf(f, "%llx-%llx %c%c%cp %08llx 00:01 %zu ", (unsigned long long)s->start, (unsigned long long)end, s->flags & PF_R ? 'r' : '-',
		        s->flags & PF_W ? 'w' : '-', s->flags & PF_X ? 'x' : '-', (unsigned long long)s->file_offset, s->file ? s->file->first + 1 : 0);
		if (s->file) {
			for (const char *p = s->file->path; *p; p++)
				if (*p == '\n') fputs("\\012", f);
				else fputc(*p, f);
		} else if (c->t->at_random >= s->start && c->t->at_random < end) {
			fputs("[stack]", f);
		} else if (c->at_vdso == s->start) {
			fputs("[vdso]", f);
		}
		fputc('\n', f);
	}
	fclose(f);
	status = maps_parse(&c->t->maps, text, n, e);
	free(text);
	return status;
}

static void what_is_there(struct target *t, const struct core *c)
{
	t->dumped = xcalloc(c->nsegments, sizeof *t->dumped);
	for (size_t i = 0; i < c->nsegments; i++)
		/* gcore writes addresses that are only reserved too, as readable zeros */
		if (c->segment[i].in_file >= PAGE && (c->segment[i].flags & (PF_W | PF_X) || c->segment[i].file))
			t->dumped[t->ndumped++] = (struct target_span){ c->segment[i].start, c->segment[i].start + c->segment[i].in_file };
	const struct map *m = maps_find(&t->maps, t->at_entry);
	if (m) snprintf(t->proc.exe, sizeof t->proc.exe, "%s", m->path);
	t->proc.threads = (unsigned)t->nthreads;
	t->proc.state = 'X';
}

int target_open_core(struct target *t, const char *core, const char *exe, const char *sysroot, struct err *e)
{
	struct core *c = xcalloc(1, sizeof *c);
	struct stat st;

	*t = (struct target){ .mem = &c->mem };
	c->mem.ops = &core_ops;
	c->name = core;
	c->t = t;
	c->exe = c->exe_copy = exe ? xstrdup(exe) : NULL;
	c->sysroot = c->sysroot_copy = sysroot ? xstrdup(sysroot) : NULL;
	c->fd = open(core, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (c->fd < 0 || fstat(c->fd, &st)) err_sys(e, errno, "opening the core file %s", core);
	else if (!S_ISREG(st.st_mode)) broken(c, e, "it is no regular file");
	else {
		c->size = (uint64_t)st.st_size;
		if (!read_headers(c, e)) {
			read_notes(c);
			add_left_out(c);
			match_files(c);
			if (!make_maps(c, e)) {
				what_is_there(t, c);
				c->t = NULL;
				return 0;
			}
		}
	}
	target_close(t);
	return -1;
}
