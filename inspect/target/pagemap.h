/* pagemap.h: which pages of a process are resident or swapped, asked of the kernel page by page (/proc/PID/pagemap), without touching
 * them. Pages that only map the kernel's page of zeros are not resident, as the kernel counts, where the kernel tells them apart. */
#ifndef ALLOCTOP_PAGEMAP_H
#define ALLOCTOP_PAGEMAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct pagemap;

enum pagemap_flag { PAGEMAP_PRESENT = 1, PAGEMAP_SWAPPED = 2 };

struct pagemap_run { uint64_t start, end; unsigned flags; };

/* NULL with *e when it may not be read. */
struct pagemap *pagemap_open(pid_t pid, struct err *e);
/* Accepts NULL. */
void pagemap_close(struct pagemap *p);

/* Runs in [start, end), both page-aligned, ascending: up to max into out. *until: how far was looked; the end, unless max was reached.
   A process that has gone has none. */
size_t pagemap_runs(struct pagemap *p, uint64_t start, uint64_t end, struct pagemap_run *out, size_t max, uint64_t *until);

/* The first page in [addr, end) that is there, swapped or not; `end` if none. *stop: how far pages follow without a hole. Buffers: cheap
   when asked in ascending order. */
uint64_t pagemap_next(struct pagemap *p, uint64_t addr, uint64_t end, uint64_t *stop);

#endif
