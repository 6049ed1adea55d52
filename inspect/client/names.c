/* names.c: see names.h. The segment has thread IDs as the target sees them; in a PID namespace the task's own status translates. */
#include "inspect/client/names.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/model/plain.h"
#include "inspect/model/snapshot.h"
#include "inspect/target/proc.h"

/* The last number of the line "NSpid:" of one task, 0 if there is none. */
static uint32_t inner_tid(int tasks, const char *task)
{
	char path[32], buf[4096];
	unsigned long tid = 0;

	snprintf(path, sizeof path, "%.15s/status", task);
	int fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return 0;
	ssize_t n = read(fd, buf, sizeof buf - 1);
	close(fd);
	buf[n > 0 ? n : 0] = 0;
	char *s = strstr(buf, "\nNSpid:"), *end;
	for (s = s ? s + 7 : NULL; s && *s && *s != '\n'; s = end) {
		unsigned long v = strtoul(s, &end, 10);
		if (end == s) break;
		tid = v;
	}
	return (uint32_t)tid;
}

static void set_name(struct snap_thread *t, pid_t pid, pid_t tid)
{
	char name[16];

	proc_thread_name(pid, tid, name);
	if (!*name) return;
	snprintf(t->name, sizeof t->name, "%s", name);
	plain_text(t->name);
}

static void refresh_inner(struct snapshot *s, pid_t pid)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *d = opendir(path);
	for (struct dirent *de; d && (de = readdir(d));) {
		uint32_t tid = *de->d_name != '.' ? inner_tid(dirfd(d), de->d_name) : 0;
		for (size_t i = 1; tid && i < s->nthreads; i++)
			if (s->thread[i].tid == tid) set_name(&s->thread[i], pid, atoi(de->d_name));
	}
	if (d) closedir(d);
}

void names_refresh(struct snapshot *s, const struct proc *p)
{
	if (p->inner_pid != p->pid) {
		refresh_inner(s, p->pid);
		return;
	}
	for (size_t i = 1; i < s->nthreads; i++)
		if (s->thread[i].tid && s->thread[i].tid <= INT32_MAX) set_name(&s->thread[i], p->pid, (pid_t)s->thread[i].tid);
}
