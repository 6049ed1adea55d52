/* locked.c: see locked.h. */
#include "inspect/attach/locked.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

/* What stands behind `name` in a file of /proc/PID, in `format`; 0 when nothing does. */
static uint64_t look(pid_t pid, const char *file, const char *name, const char *format)
{
	char path[64], line[512];
	size_t n = strlen(name);
	uint64_t v = 0;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, name, n)) {
			if (strstr(line + n, "unlimited") == line + n + strspn(line + n, " ")) v = UINT64_MAX;
			else if (sscanf(line + n, format, &v) != 1) v = 0;
			break;
		}
	if (f) fclose(f);
	return v;
}

uint64_t locked_bytes(pid_t pid) { return look(pid, "status", "VmLck:", "%" SCNu64) << 10; }

uint64_t locked_limit(pid_t pid)
{
	if (look(pid, "status", "CapEff:", "%" SCNx64) >> CAP_IPC_LOCK & 1) return UINT64_MAX;
	return look(pid, "limits", "Max locked memory", "%" SCNu64);
}
