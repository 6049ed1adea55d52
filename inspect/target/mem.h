/* mem.h: all bytes of a target come through here: read N bytes at an address. Nothing above knows where they come from.
 * Only mem_pid.c names process_vm_readv and /proc/PID/mem. */
#ifndef ALLOCTOP_MEM_H
#define ALLOCTOP_MEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct mem;

/* One kind of source. `read` returns how many bytes it could read from the start of the range (short at the first unreadable
   page), or -1 with errno set when it could read none. `close` frees the struct mem. */
struct mem_ops {
	const char *name;
	ssize_t (*read)(struct mem *m, uint64_t addr, void *buf, size_t n);
	void (*close)(struct mem *m);
};

/* A source embeds this as its first member. */
struct mem { const struct mem_ops *ops; };

/* A live process. NULL with *e filled when it is gone or may not be read. */
struct mem *mem_open_pid(pid_t pid, struct err *e);
/* A copy of bytes that stand at `base`: for tests. The bytes stay the caller's. */
struct mem *mem_open_fixture(uint64_t base, const void *bytes, size_t n);
/* Accepts NULL. */
void mem_close(struct mem *m);

/* All n bytes or nothing: 0, or -1 with *e naming the address. */
int mem_read(struct mem *m, uint64_t addr, void *buf, size_t n, struct err *e);
/* As much as there is: the count, 0 when nothing could be read. */
size_t mem_read_some(struct mem *m, uint64_t addr, void *buf, size_t n);

/* Many places of a live process with few system calls, as far as the protection of its pages lets it. How many of them, from the first on, were read
   or written whole; -1: the kernel, or a filter, does not permit this way at all. */
struct mem_span { uint64_t addr; void *bytes; size_t n; };
ssize_t mem_read_spans(pid_t pid, const struct mem_span *span, size_t n);
ssize_t mem_write_spans(pid_t pid, const struct mem_span *span, size_t n);

/* Writes to a live process (alloctop set, on a target without helper thread). 0 or -1. */
int mem_write_pid(pid_t pid, uint64_t addr, const void *buf, size_t n, struct err *e);

#endif
