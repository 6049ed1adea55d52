/* target.c: opens a live process as a struct target, and answers questions about its map. See target.h. Core files: target_core.c. */
#include "inspect/target/target.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/pagemap.h"
#include "inspect/target/xalloc.h"

enum { AUXV_MAX = 64, PHDR_MAX = 128 };

/* A 32-bit process's vector, read as if it were 64-bit, shows types beyond 32 bits. */
static int read_auxv(struct target *t, struct err *e)
{
	Elf64_auxv_t v[AUXV_MAX];
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/auxv", (int)t->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return err_sys(e, errno, "pid %d: reading its auxiliary vector", (int)t->pid);
	n = read(fd, v, sizeof v);
	close(fd);
	for (ssize_t i = 0; i < n / (ssize_t)sizeof *v && v[i].a_type != AT_NULL; i++) {
		if (v[i].a_type >> 32)
			return err_set(e, ERR_UNSUPPORTED, "pid %d (%s) is a 32-bit process: only 64-bit processes can be read", (int)t->pid, t->proc.comm);
		if (v[i].a_type == AT_RANDOM) t->at_random = v[i].a_un.a_val;
		if (v[i].a_type == AT_ENTRY) t->at_entry = v[i].a_un.a_val;
		if (v[i].a_type == AT_PHDR) t->at_phdr = v[i].a_un.a_val;
	}
	return 0;
}

static int by_tid(const void *a, const void *b)
{
	pid_t x = ((const struct target_thread *)a)->tid, y = ((const struct target_thread *)b)->tid;

	return (x > y) - (x < y);
}

/* The last number of NSpid, without a look where no namespace is in between. */
static pid_t inner_tid(const struct target *t, pid_t tid)
{
	char path[64], line[256];
	long inner = tid;
	FILE *f;

	if (t->proc.inner_pid == t->pid) return tid;
	snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)t->pid, (int)tid);
	if (!(f = fopen(path, "re"))) return tid;
	while (fgets(line, sizeof line, f)) {
		if (strncmp(line, "NSpid:", 6)) continue;
		for (char *s = strtok(line + 6, " \t\n"); s; s = strtok(NULL, " \t\n")) inner = strtol(s, NULL, 10);
	}
	fclose(f);
	return (pid_t)inner;
}

static int read_threads(struct target *t, struct err *e)
{
	char path[64];
	DIR *d;
	size_t cap = 0;

	free(t->thread);
	t->thread = NULL;
	t->nthreads = 0;
	snprintf(path, sizeof path, "/proc/%d/task", (int)t->pid);
	if (!(d = opendir(path))) return err_sys(e, errno, "pid %d: listing its threads", (int)t->pid);
	for (struct dirent *de; (de = readdir(d));) {
		char *end;
		size_t len;
		void *head = NULL;
		long tid = strtol(de->d_name, &end, 10);
		if (*end || tid <= 0) continue;
		if (t->nthreads == cap) t->thread = xreallocarray(t->thread, cap = cap ? cap * 2 : 16, sizeof *t->thread);
		struct target_thread *th = &t->thread[t->nthreads++];
		*th = (struct target_thread){ .tid = (pid_t)tid };
		th->inner = inner_tid(t, th->tid);
		proc_thread_name(t->pid, th->tid, th->name);
		if (!syscall(SYS_get_robust_list, (int)tid, &head, &len)) th->robust_head = (uintptr_t)head;
	}
	closedir(d);
	if (t->nthreads) qsort(t->thread, t->nthreads, sizeof *t->thread, by_tid);
	return 0;
}

/* Of a process whose main thread has ended before the others: one of these, by which /proc shows its memory. 0: there is none. */
static pid_t survivor(pid_t pid)
{
	char path[64];
	struct proc p;
	struct err unimportant;
	pid_t found = 0;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *d = opendir(path);
	for (struct dirent *de; d && !found && (de = readdir(d));) {
		pid_t tid = (pid_t)strtol(de->d_name, NULL, 10);
		if (tid > 0 && tid != pid && !proc_read(&p, tid, &unimportant) && p.state != 'Z' && p.state != 'X') found = tid;
	}
	if (d) closedir(d);
	return found;
}

int target_open_pid(struct target *t, pid_t pid, struct err *e)
{
	pid_t other;

	*t = (struct target){ .pid = pid };
	if (proc_read(&t->proc, pid, e)) return -1;
	if (t->proc.state == 'Z' && t->proc.threads > 1 && (other = survivor(pid))) return target_open_pid(t, other, e);
	if (t->proc.state == 'Z' || t->proc.state == 'X')
		return err_set(e, ERR_UNSUPPORTED, "pid %d (%s) is a zombie: it has exited and its memory is gone", (int)pid, t->proc.comm);
	if (!t->proc.vm_bytes)
		return err_set(e, ERR_UNSUPPORTED, "pid %d (%s) is a kernel thread: it has no memory of its own", (int)pid, t->proc.comm);
	if (!(t->mem = mem_open_pid(pid, e)) || read_auxv(t, e) || target_refresh(t, e)) {
		target_close(t);
		return -1;
	}
	struct err unimportant;
	t->pages = pagemap_open(pid, &unimportant);
	return 0;
}

int target_refresh(struct target *t, struct err *e)
{
	struct proc now;
	struct maps maps;

	if (!t->pid) return 0;
	if (proc_read(&now, t->pid, e)) return -1;
	if (now.start_ticks != t->proc.start_ticks || now.state == 'Z' || now.state == 'X' || !now.vm_bytes)
		return err_set(e, ERR_GONE, "pid %d (%s) has exited", (int)t->pid, t->proc.comm);
	if (maps_read(&maps, t->pid, e)) return -1;
	maps_free(&t->maps);
	t->maps = maps;
	t->proc = now;
	return read_threads(t, e);
}

void target_close(struct target *t)
{
	mem_close(t->mem);
	pagemap_close(t->pages);
	maps_free(&t->maps);
	free(t->thread);
	free(t->dumped);
	t->mem = NULL;
	t->pages = NULL;
	t->thread = NULL;
	t->dumped = NULL;
	t->nthreads = 0;
}

static int is_file(const struct map *m)
{
	return m->path[0] == '/' && m->inode;
}

/* Anonymous memory without a name, or with one that prctl(PR_SET_VMA_ANON_NAME) gave it. */
static int is_plain(const struct map *m)
{
	return !m->inode && (!m->path[0] || !strncmp(m->path, "[anon:", 6));
}

int target_is_anonymous(const struct target *t, uint64_t addr)
{
	const struct map *m = maps_find(&t->maps, addr);

	return m && m->read && m->write && !m->shared && (is_plain(m) || !strcmp(m->path, "[heap]"));
}

/* From memory if it is there, else from the file, which is the same. */
static size_t read_head(const struct target *t, const struct map *head, uint64_t at, void *buf, size_t n)
{
	struct pagemap_run run;
	uint64_t page = (head->start + at) & ~(uint64_t)4095, until;

	if (!t->pages || pagemap_runs(t->pages, page, page + 4096, &run, 1, &until)) return mem_read_some(t->mem, head->start + at, buf, n);
	int fd = target_file(t, head);
	ssize_t got = fd < 0 ? -1 : pread(fd, buf, n, (off_t)at);
	if (fd >= 0) close(fd);
	return got > 0 ? (size_t)got : 0;
}

/* The end of the object's last loaded byte, by its own program headers; 0 when they cannot be had. `head` maps its first byte. */
static uint64_t object_end(const struct target *t, const struct map *head)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph[PHDR_MAX];
	uint64_t low = UINT64_MAX, high = 0;

	if (read_head(t, head, 0, &eh, sizeof eh) < sizeof eh || memcmp(eh.e_ident, ELFMAG, SELFMAG)) return 0;
	if (eh.e_phentsize != sizeof *ph || !eh.e_phnum || eh.e_phnum > PHDR_MAX || eh.e_phoff > head->end - head->start) return 0;
	if (read_head(t, head, eh.e_phoff, ph, eh.e_phnum * sizeof *ph) < eh.e_phnum * sizeof *ph) return 0;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		uint64_t end;
		if (ph[i].p_type != PT_LOAD) continue;
		if (__builtin_add_overflow(ph[i].p_vaddr, ph[i].p_memsz, &end)) return 0;
		if (!ph[i].p_offset) low = ph[i].p_vaddr;
		if (end > high) high = end;
	}
	if (low > high || __builtin_add_overflow(head->start, high - low, &high)) return 0;
	return (high + 4095) & ~(uint64_t)4095;
}

static void add_region(struct target_region **out, size_t *n, struct target_region r)
{
	if (!(*n & (*n - 1))) *out = xreallocarray(*out, *n ? *n * 2 : 1, sizeof **out);
	(*out)[(*n)++] = r;
}

/* The writable runs of the object whose maps begin at index i; returns the index behind them. */
static size_t object_regions(const struct target *t, size_t i, struct target_region **out, size_t *n)
{
	enum { BSS_GUESS = 64 << 20 };
	const struct map *m = t->maps.map, *head = &m[i];
	uint64_t end = head->offset ? 0 : object_end(t, head), last = 0;
	struct target_region r = { .path = head->path };
	int main_program = 0;
	size_t first = *n, j;

	for (j = i; j < t->maps.n; j++) {
		int same = is_file(&m[j]) && maps_same_file(&m[j], head);
		if (same && j > i && !m[j].offset && !head->offset && end && m[j].start >= end) break;  /* the file mapped a second time */
		if (!same && (!is_plain(&m[j]) || (end ? m[j].start >= end : m[j].start != last))) break;
		last = m[j].end;
		if (t->at_entry >= m[j].start && t->at_entry < m[j].end) main_program = 1;
		if (!m[j].write || !m[j].read || m[j].shared) continue;
		uint64_t stop = m[j].end;
		if (!same && end && stop > end) stop = end;
		if (!same && !end && stop - m[j].start > BSS_GUESS) stop = m[j].start + BSS_GUESS;
		if (r.end && r.end == m[j].start) r.end = stop;
		else {
			if (r.end) add_region(out, n, r);
			r.start = m[j].start;
			r.end = stop;
		}
	}
	if (r.end) add_region(out, n, r);
	for (; first < *n; first++) (*out)[first].main_program = main_program;
	return j;
}

size_t target_data_regions(const struct target *t, struct target_region **out)
{
	size_t n = 0;

	*out = NULL;
	for (size_t i = 0; i < t->maps.n;) {
		if (is_file(&t->maps.map[i]) && !t->maps.map[i].shared) i = object_regions(t, i, out, &n);
		else i++;
	}
	return n;
}
