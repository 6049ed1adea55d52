/* smaps.c: see smaps.h. */
#include "inspect/target/smaps.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/target/err.h"

static const struct { const char *name; size_t at; } field[] = {
	{ "Rss:", offsetof(struct smaps, rss) },
	{ "Swap:", offsetof(struct smaps, swap) },
	{ "LazyFree:", offsetof(struct smaps, lazy_free) },
	{ "AnonHugePages:", offsetof(struct smaps, huge) },
	{ "ShmemPmdMapped:", offsetof(struct smaps, huge) },
	{ "FilePmdMapped:", offsetof(struct smaps, huge) },
	{ "Shared_Hugetlb:", offsetof(struct smaps, hugetlb) },
	{ "Private_Hugetlb:", offsetof(struct smaps, hugetlb) },
};

static void parse_line(struct smaps *s, const char *line)
{
	for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
		size_t n = strlen(field[i].name);
		if (!strncmp(line, field[i].name, n))
			*(uint64_t *)((char *)s + field[i].at) += strtoull(line + n, NULL, 10) * 1024;
	}
}

void smaps_parse(struct smaps *s, const char *text)
{
	for (; text && *text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL) parse_line(s, text);
}

int smaps_read(struct smaps *s, pid_t pid, struct err *e)
{
	char path[64], line[4096];
	FILE *f;

	*s = (struct smaps){ 0 };
	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	if (!(f = fopen(path, "re")) && errno == ENOENT) {
		snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
		f = fopen(path, "re");
	}
	if (!f) return err_sys(e, errno, "pid %d: reading the kernel's sums over its memory", (int)pid);
	errno = 0;
	while (fgets(line, sizeof line, f)) parse_line(s, line);
	int sys = ferror(f) ? errno : 0;
	fclose(f);
	return sys ? err_sys(e, sys, "pid %d: reading the kernel's sums over its memory", (int)pid) : 0;
}
