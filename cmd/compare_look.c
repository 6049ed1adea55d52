/* compare_look.c: see compare_look.h. The allocator that serves a program is the one that has most address space: at its end a program may
 * have freed everything, but of what was asked of the kernel something is left. */
#include "cmd/compare_look.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "inspect/allocator/allocator.h"
#include "inspect/model/heap.h"
#include "inspect/model/plain.h"
#include "inspect/target/err.h"
#include "inspect/target/smaps.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { FOUND_MAX = 32, EXITING = 4 /* PF_EXITING */, EXIT_TRIES = 20, LOADER_BYTES = 256 << 10 /* libc's own few blocks */ };

/* A line of /proc/PID/status, or of a thread's: "VmHWM:   1234 kB". */
static int status_line(const char *path, const char *key, int base, uint64_t *out)
{
	char line[256];
	FILE *f = fopen(path, "re");
	int found = 0;

	while (f && !found && fgets(line, sizeof line, f)) {
		if (strncmp(line, key, strlen(key))) continue;
		*out = strtoull(line + strlen(key), NULL, base);
		found = 1;
	}
	if (f) fclose(f);
	return found;
}

void look_memory(pid_t pid, struct look_memory *m)
{
	char path[64];
	struct smaps s;
	struct err e;
	uint64_t kib;

	*m = (struct look_memory){ LOOK_UNKNOWN, LOOK_UNKNOWN };
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	if (status_line(path, "VmHWM:", 10, &kib)) m->peak = kib * 1024;
	if (status_line(path, "VmRSS:", 10, &kib)) m->now = kib * 1024;
	/* the page tables know it exactly, the counters of many processors do not */
	if (!smaps_read(&s, pid, &e) && s.rss) m->now = s.rss;
	if (m->peak != LOOK_UNKNOWN && m->now != LOOK_UNKNOWN && m->peak < m->now) m->peak = m->now;
}

/* Is it told to die, or about to? */
static int exits(pid_t pid, const char *tid)
{
	char path[300], line[1024];
	uint64_t pending = 0;
	unsigned flags = 0;

	snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, tid);
	if (!status_line(path, "SigPnd:", 16, &pending)) return 1;
	if (pending >> 8 & 1) return 1;         /* SIGKILL */
	snprintf(path, sizeof path, "/proc/%d/task/%s/stat", (int)pid, tid);
	FILE *f = fopen(path, "re");
	char *end = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
	if (f) fclose(f);
	return !end || (sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && flags & EXITING);
}

static int others_exit(pid_t pid)
{
	char path[64];
	int all = 1;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *d = opendir(path);
	for (struct dirent *de; d && all && (de = readdir(d));)
		if (*de->d_name != '.' && atoi(de->d_name) != (int)pid) all = exits(pid, de->d_name);
	if (d) closedir(d);
	return all;
}

int look_all_exit(pid_t pid)
{
	for (int i = 0; i < EXIT_TRIES; i++) {
		if (others_exit(pid)) return 1;
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	}
	return 0;
}

static const struct map *mapped(const struct target *t, const char *file)
{
	struct stat st;
	char *real = realpath(file, NULL);
	const struct map *found = NULL;

	if (real && !stat(real, &st))
		for (size_t i = 0; i < t->maps.n && !found; i++)
			if (t->maps.map[i].inode == st.st_ino && !strcmp(t->maps.map[i].path, real)) found = &t->maps.map[i];
	free(real);
	return found;
}

/* The largest of those found, and how much it has. NULL: there is none. */
static const struct allocator_found *largest(const struct target *t, const struct allocator_found *found, size_t n, uint64_t *most)
{
	const struct allocator_found *best = NULL;

	*most = 0;
	for (size_t i = 0; i < n; i++) {
		struct heap_allocator h = { 0 };
		struct err e;
		int bad = found[i].kind->read(t, &found[i], 0, &h, NULL, &e);
		uint64_t has = bad ? 0 : h.mapped != HEAP_UNKNOWN ? h.mapped : h.live_bytes != HEAP_UNKNOWN ? h.live_bytes : 0;
		if (has > *most || !best) best = &found[i], *most = has;
		heap_allocator_free(&h);
	}
	return best;
}

static void judge(const struct target *t, const char *library, struct look_allocator *a)
{
	struct allocator_found *found = xcalloc(FOUND_MAX, sizeof *found);
	size_t n = allocator_probe_all(t, found, FOUND_MAX);
	uint64_t most;
	const struct allocator_found *best = largest(t, found, n, &most);
	const struct map *m = library ? mapped(t, library) : NULL;
	const char *slash = m ? strrchr(m->path, '/') : NULL, *base = slash ? slash + 1 : "";

	if (best) {
		snprintf(a->name, sizeof a->name, "%s%s%s", best->kind->name, *best->version ? " " : "", best->version);
		snprintf(a->owner, sizeof a->owner, "%s", best->owner);
	}
	a->loaded = m != NULL;
	a->use = best ? COMPARE_USED : COMPARE_UNKNOWN;
	if (library && !m) {
		a->use = COMPARE_UNUSED;
		snprintf(a->why, sizeof a->why, "the loader did not take it into the process");
	} else if (library && (!best || strcmp(best->owner, base))) {
		a->use = best && most > LOADER_BYTES ? COMPARE_UNUSED : COMPARE_UNKNOWN;
		if (a->use == COMPARE_UNUSED) snprintf(a->why, sizeof a->why, "loaded, but the program uses %.60s in %.60s", a->name, a->owner);
		else snprintf(a->why, sizeof a->why, "loaded; whether it is used cannot be seen (too few allocations, or of a kind unknown here)");
	}
	plain_text(a->why);
	free(found);
}

void look_allocator(pid_t pid, const char *library, struct look_allocator *a)
{
	struct target t;
	struct err e = { 0 };

	*a = (struct look_allocator){ .use = COMPARE_UNSEEN };
	if (target_open_pid(&t, pid, &e)) {
		snprintf(a->why, sizeof a->why, "%.150s", e.text);
		return;
	}
	judge(&t, library, a);
	target_close(&t);
}
