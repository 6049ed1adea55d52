/* sys.h: the system calls that the agent makes, raw: no libc, no errno, no cancellation point. Each returns a negative errno on
 * failure. Constants come from the kernel's own headers. */
#ifndef AGENT_SYS_H
#define AGENT_SYS_H

#include <asm/unistd.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/resource.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdint.h>
#include "cpu.h"

#ifndef PROT_READ
#define PROT_READ 1
#define PROT_WRITE 2
#endif
#define SYS_EINTR 4
#define SYS_EAGAIN 11
#define SYS_ENOMEM 12
#define SYS_EINVAL 22
#define SYS_ENOSYS 38
#define SYS_PAGE 4096u

void *memcpy(void *restrict, const void *restrict, size_t);
void *memset(void *, int, size_t);
void *memmove(void *, const void *, size_t);
int memcmp(const void *, const void *, size_t);
size_t strlen(const char *);
int strcmp(const char *, const char *);
int strncmp(const char *, const char *, size_t);

#define SYS(nr, a, b, c, d, e, f) cpu_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static inline int sys_failed(long r) { return (unsigned long)r > -4096UL; }

/* The address, or a value for which sys_failed is true. */
static inline long sys_mmap(void *at, size_t n, int prot, int flags, int fd, long off) { return SYS(__NR_mmap, at, n, prot, flags, fd, off); }
static inline int sys_munmap(void *p, size_t n) { return (int)SYS(__NR_munmap, p, n, 0, 0, 0, 0); }
static inline int sys_madvise(void *p, size_t n, int how) { return (int)SYS(__NR_madvise, p, n, how, 0, 0, 0); }
static inline int sys_memfd_create(const char *name, unsigned flags) { return (int)SYS(__NR_memfd_create, name, flags, 0, 0, 0, 0); }
static inline int sys_ftruncate(int fd, uint64_t n) { return (int)SYS(__NR_ftruncate, fd, n, 0, 0, 0, 0); }
static inline int sys_fallocate(int fd, uint64_t n) { return (int)SYS(__NR_fallocate, fd, 0, 0, n, 0, 0); }
static inline int sys_fcntl(int fd, int cmd, long arg) { return (int)SYS(__NR_fcntl, fd, cmd, arg, 0, 0, 0); }
static inline int sys_open(const char *path, int flags, int mode) { return (int)SYS(__NR_openat, AT_FDCWD, path, flags, mode, 0, 0); }
static inline int sys_close(int fd) { return (int)SYS(__NR_close, fd, 0, 0, 0, 0, 0); }
static inline long sys_read(int fd, void *p, size_t n) { return SYS(__NR_read, fd, p, n, 0, 0, 0); }
static inline int sys_statx(int dir, const char *path, int flags, struct statx *st) { return (int)SYS(__NR_statx, dir, path, flags, STATX_BASIC_STATS, st, 0); }
static inline int sys_mkdir(const char *path, int mode) { return (int)SYS(__NR_mkdirat, AT_FDCWD, path, mode, 0, 0, 0); }
static inline int sys_unlink(const char *path) { return (int)SYS(__NR_unlinkat, AT_FDCWD, path, 0, 0, 0, 0); }
static inline long sys_readlink(const char *path, char *buf, size_t n) { return SYS(__NR_readlinkat, AT_FDCWD, path, buf, n, 0, 0); }
static inline int sys_getpid(void) { return (int)SYS(__NR_getpid, 0, 0, 0, 0, 0, 0); }
static inline int sys_getppid(void) { return (int)SYS(__NR_getppid, 0, 0, 0, 0, 0, 0); }
static inline int sys_gettid(void) { return (int)SYS(__NR_gettid, 0, 0, 0, 0, 0, 0); }
static inline unsigned sys_geteuid(void) { return (unsigned)SYS(__NR_geteuid, 0, 0, 0, 0, 0, 0); }
static inline int sys_getrlimit(int what, struct rlimit64 *r) { return (int)SYS(__NR_prlimit64, 0, what, 0, r, 0, 0); }
/* Nanoseconds of a clock by the process's own clock_gettime, which makes a system call only where the machine has no good counter; NULL: by
   one. */
static inline uint64_t sys_clock_ns(int (*get)(int, long *), int clock)
{
	long t[2] = { 0, 0 };
	if (!get || get(clock, t)) SYS(__NR_clock_gettime, clock, t, 0, 0, 0, 0);
	return (uint64_t)t[0] * 1000000000u + (uint64_t)t[1];
}

#endif
