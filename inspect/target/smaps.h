/* smaps.h: what the kernel sums up over a process's address space and pagemap.h cannot tell. */
#ifndef ALLOCTOP_SMAPS_H
#define ALLOCTOP_SMAPS_H

#include <stdint.h>
#include <sys/types.h>

struct err;

struct smaps {
	uint64_t rss, swap;             /* bytes */
	uint64_t lazy_free;             /* resident; the kernel may take it (MADV_FREE) */
	uint64_t huge;                  /* of rss: in transparent huge pages */
	uint64_t hugetlb;               /* not in rss: reserved huge pages */
};

/* From smaps_rollup, or added up from smaps before Linux 4.14. 0, or -1 with *e. */
int smaps_read(struct smaps *s, pid_t pid, struct err *e);
/* The text of either file, added to *s. */
void smaps_parse(struct smaps *s, const char *text);

#endif
