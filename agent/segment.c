/* segment.c: see segment.h. */
#include "segment.h"
#include "life.h"
#include "sandbox.h"
#include "settings.h"
#include "sys.h"

enum {
	LIVE = 1 << 20, SITES = 1 << 16, FRAMES = 1 << 21, THREADS = 4096, MODULES = 1024, TIMINGS = WIRE_OPS * WIRE_CLASSES,
	SCALES = 4,             /* sizes to try, each a quarter of the one before */
	FILE_SCALE = 1,         /* a file's blocks are allocated at once (a full disk must not kill the host): begin smaller */
};

struct segment segment = { .fd = -1 };

struct plan { uint64_t size, private_size; uint32_t live, sites, frames, threads, exact; };

static uint64_t page_up(uint64_t n) { return (n + SYS_PAGE - 1) & ~(uint64_t)(SYS_PAGE - 1); }

static struct plan plan_of(unsigned scale)
{
	struct plan p = { .live = LIVE >> 2 * scale, .sites = SITES >> 2 * scale, .frames = FRAMES >> 2 * scale, .threads = THREADS };
	if (p.live > INDEX_IDS) p.live = INDEX_IDS;
	p.exact = settings.exact ? THREADS * WIRE_CLASSES : 0;
	p.size = page_up(sizeof(struct wire_header)) + page_up(MODULES * sizeof(struct wire_module)) + page_up(p.frames * 8ULL)
		+ page_up(p.sites * sizeof(struct wire_site)) + page_up(p.live * sizeof(struct wire_live))
		+ page_up(p.threads * sizeof(struct wire_thread)) + page_up(WIRE_CLASSES * sizeof(struct wire_class))
		+ page_up(p.exact * sizeof(struct wire_exact)) + page_up(TIMINGS * sizeof(struct wire_timing));
	p.private_size = page_up(index_bytes(p.live)) + page_up(index_bytes(p.sites));
	return p;
}

/* Under a limit of memory we leave seven eighths of it to the program. */
static int affordable(const struct plan *p)
{
	static const int limits[] = { RLIMIT_AS, RLIMIT_DATA };
	struct rlimit64 r;
	for (unsigned i = 0; i < 2; i++)
		if (!sys_getrlimit(limits[i], &r) && r.rlim_cur / 8 < p->size + p->private_size) return 0;
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

static void *map_memfd(uint64_t size, int allocate, int *kept)
{
	struct statx st;
	int fd = sys_memfd_create(WIRE_MEMFD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) return 0;
	void *at = map_shared(fd, size, allocate);
	if (!at) { sys_close(fd); return 0; }
	/* our mapping stays writable; nobody who is handed the descriptor can write, shrink or grow it */
	if (sys_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0) {
		sys_close(fd);
		*kept = -1;
		return at;
	}
	*kept = descriptor_up(fd);
	if (*kept >= 0 && !sys_statx(*kept, "", AT_EMPTY_PATH, &st)) segment.inode = st.stx_ino;
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

static uint64_t row(struct wire_header *h, unsigned i, enum wire_kind kind, uint64_t at, uint32_t size, uint32_t capacity, uint32_t used)
{
	h->section[i] = (struct wire_section){ at, kind, size, capacity, used };
	return at + page_up((uint64_t)size * capacity);
}

static void lay_out(struct wire_header *h, const struct plan *p, void *private)
{
	uint64_t at = page_up(sizeof *h);
	at = row(h, 0, WIRE_MODULES, at, sizeof(struct wire_module), MODULES, 0);
	at = row(h, 1, WIRE_FRAMES, at, 8, p->frames, 0);
	at = row(h, 2, WIRE_SITES, at, sizeof(struct wire_site), p->sites, 1);
	at = row(h, 3, WIRE_LIVE, at, sizeof(struct wire_live), p->live, 0);
	at = row(h, 4, WIRE_THREADS, at, sizeof(struct wire_thread), p->threads, 1);
	at = row(h, 5, WIRE_CLASS, at, sizeof(struct wire_class), WIRE_CLASSES, WIRE_CLASSES);
	at = row(h, 6, WIRE_EXACT, at, sizeof(struct wire_exact), p->exact, p->exact);
	row(h, 7, WIRE_TIMING, at, sizeof(struct wire_timing), TIMINGS, 0);
	segment.head = h;
	char *base = (char *)h;
	segment.modules = (void *)(base + h->section[0].offset);
	segment.frames = (void *)(base + h->section[1].offset);
	segment.sites = (void *)(base + h->section[2].offset);
	segment.live = (void *)(base + h->section[3].offset);
	segment.threads = (void *)(base + h->section[4].offset);
	segment.classes = (void *)(base + h->section[5].offset);
	segment.exact = p->exact ? (void *)(base + h->section[6].offset) : 0;
	segment.timing = (void *)(base + h->section[7].offset);
	segment.modules_max = MODULES;
	segment.frames_max = p->frames;
	segment.sites_max = p->sites;
	segment.live_max = p->live;
	segment.threads_max = p->threads;
	segment.live_free = 0;
	segment.live_used = segment.frames_used = 0;
	segment.sites_used = segment.threads_used = 1;  /* entry 0 gathers */
	index_init(&segment.live_index, private, p->live);
	index_init(&segment.site_index, (char *)private + page_up(index_bytes(p->live)), p->sites);
}

static void fill_header(struct wire_header *h, uint64_t size, uint32_t flags, const char *notices)
{
	h->version = WIRE_VERSION;
	h->header_size = sizeof *h;
	h->size = size;
	h->pid = (uint32_t)sys_getpid();
	h->page_size = SYS_PAGE;
	h->flags = flags | (settings.exact ? WIRE_EXACT_ON : 0);
	h->realtime_ns = sys_clock_ns(0);
	h->start = h->last = (struct wire_clock){ cpu_ticks(), sys_clock_ns(1) };
	h->control.rate = settings.rate;
	h->control.running = 1;
	memcpy(h->notices, notices, strlen(notices) + 1);
	RELEASE(*(uint64_t *)(void *)h->magic, *(const uint64_t *)(const void *)WIRE_MAGIC);
}

static struct { void *at, *private; unsigned scale; } held;

static int map_over(void *at, uint64_t size)
{
	return sys_failed(sys_mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0));
}

int segment_renew(void)
{
	struct plan p = plan_of(held.scale);
	int old = sandbox_entered() ? -1 : segment_descriptor();
	if (old >= 0) sys_close(old);
	segment.fd = -1;
	if (!held.at || map_over(held.at, p.size) || map_over(held.private, p.private_size)) return -1;
	lay_out(held.at, &p, held.private);
	fill_header(held.at, p.size, WIRE_PRIVATE, "");
	return 0;
}

int segment_open(const char *notices)
{
	int strict = accounting_is_strict();
	for (unsigned scale = 0; scale < SCALES; scale++) {
		struct plan p = plan_of(scale);
		uint32_t flags = 0;
		if (!affordable(&p)) continue;
		void *at = 0, *private = map_private(p.private_size);
		if (!private) continue;
		if (settings.segment[0] && scale >= FILE_SCALE) at = map_file(p.size);
		else if (!settings.segment[0] && (!strict || scale == SCALES - 1)) at = map_memfd(p.size, strict, &segment.fd);
		if (!at && scale == SCALES - 1) {
			flags = WIRE_PRIVATE;
			at = map_private(p.size);
		}
		if (!at) { sys_munmap(private, p.private_size); continue; }
		held.at = at, held.private = private, held.scale = scale;
		lay_out(at, &p, private);
		fill_header(at, p.size, flags, notices);
		if (flags && settings.segment[0])
			settings_complain(segment.head->notices, WIRE_NOTICES, "ALLOCTOP_SEGMENT", "the file cannot be made or filled; memory is used");
		return 0;
	}
	return -1;
}

int segment_descriptor(void)
{
	struct statx st;
	int fd = segment.fd;
	return fd >= 0 && !sys_statx(fd, "", AT_EMPTY_PATH, &st) && st.stx_ino == segment.inode ? fd : -1;
}

void segment_publish(enum wire_kind kind, uint32_t used)
{
	uint32_t *at = &segment.head->section[kind - WIRE_MODULES].used, seen = LOAD(*at);
	while (seen < used && !CAS(*at, &seen, used)) ;
}
