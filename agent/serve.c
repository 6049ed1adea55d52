/* serve.c: see serve.h. One packet in, one packet out (struct wire_message), one connection at a time, a second's patience each. */
#include <linux/net.h>
#include <linux/poll.h>
#include "serve.h"
#include "cc.h"
#include "loader.h"
#include "notice.h"
#include "sandbox.h"
#include "segment.h"
#include "settings.h"
#include "symbols.h"
#include "sys.h"
#include "wire.h"

enum {
	STACK = 64 << 10,
	AF_LOCAL = 1, SEQPACKET = 5, CLOEXEC = 02000000, NONBLOCK = 04000,
	LEVEL_SOCKET = 1, OPTION_RECEIVE_TIMEOUT = 20, OPTION_PEER = 17, RIGHTS = 1, NO_SIGNAL = 0x4000,
	TYPE_MASK = 0170000, DIRECTORY = 0040000,
	NAME_PR = 15, CLONE_FILES = 0x400,
	PATIENCE_MS = 2000,             /* also how late a newly loaded object may be noticed */
};

struct address { uint16_t family; char path[108]; };
struct iov { void *base; size_t size; };
struct packet { void *name; int name_size; struct iov *iov; size_t iovs; void *control; size_t control_size; int flags; };
struct rights { size_t size; int level, type, fd, pad; };
struct peer { int pid; unsigned uid, gid; };

static struct {
	uint32_t started, created;
	uint32_t bound;                 /* the socket stands at `at` */
	uint32_t tid;                   /* of the thread while it runs; 0: none, or it has not come to say so */
	uint32_t stop;                  /* it shall end */
	struct address at;
} serve;

static void complain(const char *text)
{
	notice_add(segment.head->notices, WIRE_NOTICES, "socket", text);
}

/* ---- where -------------------------------------------------------------------------------------------------------------------- */

static size_t append(char *to, size_t at, size_t n, const char *text)
{
	size_t k = strlen(text);
	if (at == SIZE_MAX || at + k + 1 > n) return SIZE_MAX;
	memcpy(to + at, text, k + 1);
	return at + k;
}

static size_t append_number(char *to, size_t at, size_t n, unsigned v)
{
	char digits[12];
	int k = sizeof digits - 1;
	digits[k] = 0;
	do digits[--k] = (char)('0' + v % 10);
	while (v /= 10);
	return append(to, at, n, digits + k);
}

/* A directory of our own user that nobody else can write to; made when it is not there. */
static int directory_ready(const char *path)
{
	struct statx st;
	sys_mkdir(path, 0700);
	if (sys_statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &st)) return 0;
	return (st.stx_mode & TYPE_MASK) == DIRECTORY && st.stx_uid == sys_geteuid() && !(st.stx_mode & 022);
}

static int choose_path(char *path, size_t n)
{
	size_t at;
	if (settings.dir[0]) at = append(path, 0, n, settings.dir);
	else if (settings.runtime[0] == '/') at = append(path, append(path, 0, n, settings.runtime), n, "/alloctop");
	else at = append_number(path, append(path, 0, n, "/tmp/alloctop-"), n, sys_geteuid());
	if (at == SIZE_MAX || !directory_ready(path)) return -1;
	at = append_number(path, append(path, at, n, "/"), n, segment.head->pid);
	return append(path, at, n, ".sock") == SIZE_MAX ? -1 : 0;
}

/* ---- one conversation --------------------------------------------------------------------------------------------------------- */

static void copy_out(int fd, const void *from, uint64_t at, uint64_t n)
{
	const char *p = from;
	while (n) {
		long k = SYS(__NR_pwrite64, fd, p, n, at, 0, 0);
		if (k <= 0) return;
		p += k, at += (uint64_t)k, n -= (uint64_t)k;
	}
}

/* A copy of a segment in private memory: only what is used. */
static int copy_descriptor(void)
{
	const struct wire_header *h = segment.head;
	int fd = sys_memfd_create(WIRE_MEMFD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) return fd;
	if (sys_ftruncate(fd, h->size)) { sys_close(fd); return -SYS_ENOMEM; }
	for (unsigned i = 0; i < WIRE_SECTIONS_MAX; i++) {
		const struct wire_section *s = &h->section[i];
		uint32_t used = LOAD(s->used);
		if (s->kind) copy_out(fd, (const char *)h + s->offset, s->offset, (uint64_t)used * s->entry_size);
	}
	copy_out(fd, h, 0, sizeof *h);
	sys_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	return fd;
}

static void answer(int to, struct wire_message *m, int fd)
{
	struct iov iov = { m, sizeof *m };
	struct rights rights = { sizeof(size_t) + 3 * sizeof(int), LEVEL_SOCKET, RIGHTS, fd, 0 };
	struct packet p = { .iov = &iov, .iovs = 1, .control = fd >= 0 ? &rights : 0, .control_size = fd >= 0 ? sizeof rights : 0 };
	SYS(__NR_sendmsg, to, &p, NO_SIGNAL, 0, 0, 0);
}

static void obey(int to, struct wire_message *m, int segment_fd)
{
	struct wire_control *c = &segment.head->control;
	int fd = -1, own = 0;
	m->status = 0;
	switch (m->verb) {
	case WIRE_HELLO:
		fd = segment_fd;
		if (fd < 0) { fd = copy_descriptor(); own = 1; }
		if (fd < 0) m->status = fd;
		break;
	case WIRE_RATE: STORE(c->rate, m->value ? m->value : 1); break;
	case WIRE_RESET: ADD(c->epoch, 1); break;
	case WIRE_STOP: STORE(c->running, 0); break;
	case WIRE_START: STORE(c->running, 1); break;
	case WIRE_TIME: STORE(c->timing, (uint32_t)m->value); break;
	default: m->status = -SYS_ENOSYS;
	}
	m->pid = segment.head->pid;
	m->version = WIRE_VERSION;
	answer(to, m, fd);
	if (own && fd >= 0) sys_close(fd);
}

static void converse(int to, int segment_fd)
{
	struct { long s, us; } patience = { 1, 0 };
	struct peer peer;
	int n = sizeof peer;
	struct wire_message m;
	if (SYS(__NR_getsockopt, to, LEVEL_SOCKET, OPTION_PEER, &peer, &n, 0)) return;
	if (peer.uid && peer.uid != sys_geteuid()) return;
	SYS(__NR_setsockopt, to, LEVEL_SOCKET, OPTION_RECEIVE_TIMEOUT, &patience, sizeof patience, 0);
	while (SYS(__NR_recvfrom, to, &m, sizeof m, 0, 0, 0) == sizeof m) {
		if (memcmp(m.magic, WIRE_MAGIC, sizeof m.magic) || m.version != WIRE_VERSION) return;
		obey(to, &m, segment_fd);
	}
}

/* ---- the thread --------------------------------------------------------------------------------------------------------------- */

/* A descriptor table of our own: the program may close whatever it likes, and we never take a number it counts on. What is copied
   with it is closed at once. -1 where the kernel cannot (before 5.9): then the table stays shared. */
static int own_table(int keep)
{
	if (SYS(__NR_close_range, ~0u, ~0u, 0, 0, 0, 0) || SYS(__NR_unshare, CLONE_FILES, 0, 0, 0, 0, 0)) return -1;
	if (keep > 0) SYS(__NR_close_range, 0, keep - 1, 0, 0, 0, 0);
	SYS(__NR_close_range, keep + 1, ~0u, 0, 0, 0, 0);
	return 0;
}

static int listen_at(struct address *at)
{
	int fd = (int)SYS(__NR_socket, AF_LOCAL, SEQPACKET | CLOEXEC, 0, 0, 0, 0);
	if (fd < 0) return fd;
	at->family = AF_LOCAL;
	sys_unlink(at->path);           /* of a process that had our number before; the directory is ours */
	if (!SYS(__NR_bind, fd, at, sizeof *at, 0, 0, 0) && !SYS(__NR_listen, fd, 8, 0, 0, 0, 0)) return fd;
	sys_close(fd);
	return -1;
}

static void *serve_main(void *arg)
{
	int segment_fd = segment_descriptor();
	struct pollfd poll = { .events = POLLIN };
	STORE(serve.tid, (uint32_t)sys_gettid());
	SYS(__NR_prctl, NAME_PR, "alloctop", 0, 0, 0, 0);
	own_table(segment_fd);
	if (choose_path(serve.at.path, sizeof serve.at.path)) {
		complain("no directory for it that is ours alone; use alloctop as the same user or root");
		return arg;
	}
	if ((poll.fd = listen_at(&serve.at)) < 0) {
		complain("cannot be bound");
		return arg;
	}
	STORE(serve.bound, 1);
	__atomic_fetch_or(&segment.head->flags, WIRE_SERVED, __ATOMIC_RELAXED);
	while (!ACQUIRE(serve.stop)) {
		long ready = SYS(__NR_poll, &poll, 1, PATIENCE_MS, 0, 0, 0);
		loader_look();
		if (ready <= 0) continue;
		int to = (int)SYS(__NR_accept4, poll.fd, 0, 0, CLOEXEC, 0, 0);
		if (to < 0 && to != -SYS_EAGAIN && to != -SYS_EINTR) {
			struct { long s, ns; } pause = { 0, 100000000 };
			if (to == -9) return arg;       /* EBADF: the program closed it */
			SYS(__NR_nanosleep, &pause, 0, 0, 0, 0, 0);
		}
		if (to < 0) continue;
		if (!LOAD(serve.stop)) converse(to, segment_fd);
		sys_close(to);
	}
	return arg;
}

/* All signals blocked but the three that the libcs use among their own threads (setuid, cancel). */
static uint64_t block_signals(void)
{
	uint64_t all = ~(7ULL << 31), old = 0;
	SYS(__NR_rt_sigprocmask, 2, &all, &old, 8, 0, 0);
	return old;
}

void serve_start(void)
{
	uint32_t no = 0;
	uint64_t attribute[16] = { 0 }; /* pthread_attr_t: 56 bytes on both libcs */
	unsigned long thread;
	if (sandbox_entered() || LOAD(serve.started) || !CAS(serve.started, &no, 1)) return;
	int (*create)(unsigned long *, const void *, void *(*)(void *), void *) = symbols_find_next("pthread_create");
	int (*init)(void *) = symbols_find_next("pthread_attr_init");
	int (*stack)(void *, size_t) = symbols_find_next("pthread_attr_setstacksize");
	int (*detach)(void *, int) = symbols_find_next("pthread_attr_setdetachstate");
	if (!create || !init || !stack || !detach) return complain("no pthread_create in this process");
	init(attribute);
	stack(attribute, STACK);
	detach(attribute, 1);
	uint64_t old = block_signals();
	STORE(serve.created, 1);
	int failed = create(&thread, attribute, serve_main, 0);
	SYS(__NR_rt_sigprocmask, 2, &old, 0, 8, 0, 0);
	if (!failed) return;
	STORE(serve.created, 0);
	complain("no thread for it");
}

/* The thread sleeps in poll: a connection wakes it. */
static void knock(void)
{
	int fd = (int)SYS(__NR_socket, AF_LOCAL, SEQPACKET | CLOEXEC | NONBLOCK, 0, 0, 0, 0);
	if (fd < 0) return;
	SYS(__NR_connect, fd, &serve.at, sizeof serve.at, 0, 0, 0);
	sys_close(fd);
}

void serve_stop(const char *why)
{
	enum { ROUNDS = 3000 };
	struct { long s, ns; } pause = { 0, 1000000 };
	int pid = sys_getpid();
	if (!LOAD(serve.created) || (uint32_t)pid != segment.head->pid) return; /* a vfork's child has our memory, and not our thread */
	RELEASE(serve.stop, 1);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t tid = LOAD(serve.tid);
		if (tid && SYS(__NR_tgkill, pid, tid, 0, 0, 0, 0)) break;       /* it is gone */
		if (!i && LOAD(serve.bound)) knock();
		SYS(__NR_nanosleep, &pause, 0, 0, 0, 0, 0);
	}
	serve_end();
	STORE(serve.bound, 0);
	STORE(serve.created, 0);
	__atomic_fetch_and(&segment.head->flags, ~(uint32_t)WIRE_SERVED, __ATOMIC_RELAXED);
	STORE(serve.tid, 0);
	STORE(serve.stop, 0);
	STORE(serve.started, 0);
	if (*why) complain(why);
}

void serve_end(void)
{
	if (LOAD(serve.bound)) sys_unlink(serve.at.path);
}

void serve_forked(void)
{
	STORE(serve.started, 0);
	STORE(serve.created, 0);
	STORE(serve.tid, 0);
	STORE(serve.stop, 0);
	STORE(serve.bound, 0);
}
