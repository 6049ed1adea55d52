/* origin.c: see origin.h. The segment is a sealed memfd, a file where ALLOCTOP_SEGMENT names one, or private memory. */
#include "origin.h"
#include "settings.h"
#include "symbols.h"
#include "sys.h"

enum { FILE_SCALE = 1 /* a file's blocks are allocated at once (a full disk must not kill the host): begin smaller */ };

int origin_affordable(uint64_t bytes, uint64_t limit)
{
	return limit / 8 >= bytes;
}

static int affordable(uint64_t bytes)
{
	static const int limits[] = { RLIMIT_AS, RLIMIT_DATA };
	struct rlimit64 r;
	for (unsigned i = 0; i < 2; i++)
		if (!sys_getrlimit(limits[i], &r) && !origin_affordable(bytes, r.rlim_cur)) return 0;
	return 1;
}

/* A write past RLIMIT_FSIZE would raise SIGXFSZ in the host. */
static int size_allowed(uint64_t size)
{
	struct rlimit64 r;
	return !sys_getrlimit(RLIMIT_FSIZE, &r) && r.rlim_cur >= size;
}

/* Moves a descriptor out of the way of programs that count on the lowest free number. */
static int descriptor_up(int fd)
{
	struct rlimit64 r = { 0, 0 };
	sys_getrlimit(RLIMIT_NOFILE, &r);
	uint64_t limit = r.rlim_cur < 1024 ? r.rlim_cur : 1024;
	int up = limit > 64 ? sys_fcntl(fd, F_DUPFD_CLOEXEC, (long)limit - 32) : -1;
	sys_close(fd);
	return up;
}

/* With strict accounting a page of a memfd that cannot be had is a SIGBUS for the host: have all of them at once. */
static int accounting_is_strict(void)
{
	char c = 0;
	int fd = sys_open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0) return 0;
	sys_read(fd, &c, 1);
	sys_close(fd);
	return c == '2';
}

static void *map_shared(int fd, uint64_t size, int allocate)
{
	if (!size_allowed(size) || sys_ftruncate(fd, size) || (allocate && sys_fallocate(fd, size))) return 0;
	long at = sys_mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return sys_failed(at) ? 0 : (void *)at;
}

static void *map_memfd(uint64_t size, int allocate, struct origin_memory *m)
{
	struct statx st;
	int fd = sys_memfd_create(WIRE_MEMFD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) return 0;
	void *at = map_shared(fd, size, allocate);
	if (!at) { sys_close(fd); return 0; }
	/* our mapping stays writable; nobody who is handed the descriptor can write, shrink or grow it */
	if (sys_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0) {
		sys_close(fd);
		return at;
	}
	m->fd = descriptor_up(fd);
	if (m->fd >= 0 && !sys_statx(m->fd, "", AT_EMPTY_PATH, &st)) m->inode = st.stx_ino;
	return at;
}

/* The file's name with each %p as the process's number. 0, or -1 when it does not fit. */
static int file_name(char *out, size_t n)
{
	size_t at = 0;
	for (const char *s = settings.segment; *s; s++) {
		if (at + 12 > n) return -1;
		if (s[0] != '%' || s[1] != 'p') { out[at++] = *s; continue; }
		char digits[12];
		int k = 0;
		for (unsigned pid = (unsigned)sys_getpid(); pid || !k; pid /= 10) digits[k++] = (char)('0' + pid % 10);
		while (k) out[at++] = digits[--k];
		s++;
	}
	out[at] = 0;
	return 0;
}

/* A new file each time: truncating one that another process has mapped would kill that process. */
static void *map_file(uint64_t size)
{
	char name[sizeof settings.segment + 32];
	if (file_name(name, sizeof name)) return 0;
	sys_unlink(name);
	int fd = sys_open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) return 0;
	void *at = map_shared(fd, size, 1);
	sys_close(fd);
	if (!at) sys_unlink(name);
	return at;
}

static void *map_private(uint64_t size)
{
	long at = sys_mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return sys_failed(at) ? 0 : (void *)at;
}

int origin_memory(struct origin_memory *m, uint64_t size, uint64_t private_size, unsigned scale, int last)
{
	int strict = accounting_is_strict();
	*m = (struct origin_memory){ .fd = -1 };
	if (!affordable(size + private_size)) return -1;
	m->private = map_private(private_size);
	if (!m->private) return -1;
	if (settings.segment[0] && scale >= FILE_SCALE) m->at = map_file(size);
	else if (!settings.segment[0] && (!strict || last)) m->at = map_memfd(size, strict, m);
	if (!m->at && last) {
		m->flags = WIRE_PRIVATE;
		m->at = map_private(size);
	}
	if (m->at) return 0;
	sys_munmap(m->private, private_size);
	return -1;
}

void origin_stamp(struct wire_header *h, int forked)
{
	int (*clock)(int, long *) = (int (*)(int, long *))symbols_find_next("clock_gettime");
	(void)forked;
	h->pid = (uint32_t)sys_getpid();
	h->realtime_ns = sys_clock_ns(clock, 0);
	h->start = h->last = (struct wire_clock){ cpu_ticks(), sys_clock_ns(clock, 1) };
}

uint32_t *origin_mark(void)
{
	enum { WIPEONFORK = 18 };
	long at = sys_mmap(0, SYS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(at)) return 0;
	if (sys_madvise((void *)at, SYS_PAGE, WIPEONFORK)) {
		sys_munmap((void *)at, SYS_PAGE);
		return 0;
	}
	*(uint32_t *)at = 1;
	return (uint32_t *)at;
}

int origin_sandboxed(void) { return 0; }
int origin_withdrawn(void) { return 0; }
