/* maps.h: the address space of a live process, from /proc/PID/maps. */
#ifndef ALLOCTOP_MAPS_H
#define ALLOCTOP_MAPS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct map {
	uint64_t start, end, offset, inode;
	uint32_t dev_major, dev_minor;
	uint8_t read, write, exec, shared;
	uint8_t deleted;        /* the kernel's " (deleted)", cut from the path */
	const char *path;       /* "" for anonymous memory; "[heap]", "[stack]", … as the kernel says; never NULL */
};

struct maps { struct map *map; size_t n; char *text; };

/* Ascending by address. 0, or -1 with *e filled. */
int maps_read(struct maps *m, pid_t pid, struct err *e);
/* The same of a process that stands still, in a fraction of the time. Names are those of `before`, which must outlive *m, where it has the same mapping.
   MAPS_CODE: at least the executable ones, and what lies right before one that is no file's. */
enum maps_part { MAPS_ALL, MAPS_CODE };
int maps_now(struct maps *m, pid_t pid, enum maps_part part, const struct maps *before, struct err *e);
/* The same from text in the kernel's format (tests, recordings). */
int maps_parse(struct maps *m, const char *text, size_t n, struct err *e);
void maps_free(struct maps *m);
/* Are they of one file? Also where they are of none. */
int maps_same_file(const struct map *a, const struct map *b);
/* Cuts the kernel's " (deleted)" from a path; 0: it has none. */
int maps_cut_deleted(char *path);
/* The map that holds addr, or NULL. */
const struct map *maps_find(const struct maps *m, uint64_t addr);

#endif
