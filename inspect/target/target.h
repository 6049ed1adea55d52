/* target.h: one process (or core file) as the readers see it: its memory, its map, its threads, its auxiliary vector. Owns what it
 * points to. */
#ifndef ALLOCTOP_TARGET_H
#define ALLOCTOP_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "inspect/target/maps.h"
#include "inspect/target/proc.h"

struct err;
struct mem;
struct pagemap;

struct target_thread {
	pid_t tid; char name[16];
	pid_t inner;                    /* as the process sees it: differs in a PID namespace */
	uint64_t robust_head;           /* get_robust_list, 0 if unknown */
	uint64_t tp;                    /* thread pointer as the registers have it (core files), 0 if unknown */
};

struct target_span { uint64_t start, end; };

struct target {
	pid_t pid;              /* 0: not a live process */
	struct proc proc;
	struct mem *mem;
	struct pagemap *pages;  /* of a live process, where permitted: else NULL */
	struct maps maps;
	struct target_thread *thread; size_t nthreads;
	uint64_t at_random;     /* AT_RANDOM of the auxiliary vector: address of 16 random bytes; 0 if unknown */
	uint64_t at_entry, at_phdr;
	struct target_span *dumped; size_t ndumped;     /* core files: what is in the file, ascending */
};

/* 0, or -1 with *e: GONE, DENIED, UNSUPPORTED (32-bit, kernel thread, zombie). t->pid is another of its threads when the main thread has
   ended before the others: that one has no memory any more. */
int target_open_pid(struct target *t, pid_t pid, struct err *e);
/* A core file, from the kernel or gcore; files are looked up below sysroot. */
int target_open_core(struct target *t, const char *core, const char *exe, const char *sysroot, struct err *e);
/* Reads maps and threads again: for series, and when a walk was torn. */
int target_refresh(struct target *t, struct err *e);
void target_close(struct target *t);

/* Bytes as mem_read_some, but without touching pages that the process has not: those read as zeros, so that being looked at does not
   make it larger. For searches; n bytes at most, the count. */
size_t target_peek(const struct target *t, uint64_t addr, void *buf, size_t n);
/* The file behind a mapping, as the process sees it, for reading: a regular file that is still the one mapped. -1 when there is none. */
int target_file(const struct target *t, const struct map *m);

/* A writable region of one loaded object: its data and the anonymous memory right behind it (.bss), merged: allocators' states
   straddle the two. */
struct target_region { uint64_t start, end; const char *path; int main_program; };
/* All of them, ascending; free() the array. Anonymous memory that no object precedes is not among them. */
size_t target_data_regions(const struct target *t, struct target_region **out);
/* The thread pointer of a thread, checked against what stands there; 0 if it cannot be had. */
uint64_t target_thread_pointer(const struct target *t, const struct target_thread *th);
/* The thread behind this one in musl's ring of threads, and this one's tid; 0 when there is no thread of musl's at tp. */
uint64_t target_thread_next(const struct target *t, uint64_t tp, pid_t *tid);
/* The stacks of all threads that can be found, those kept for threads to come among them; ascending, free() the array. */
struct target_stack { uint64_t start, end; pid_t tid; /* 0: of no thread */ };
size_t target_stacks(const struct target *t, struct target_stack **out);

/* Anonymous (or [heap]) private writable memory at addr? */
int target_is_anonymous(const struct target *t, uint64_t addr);

#endif
