/* compare_tree.c: see compare_tree.h. */
#include "cmd/compare_tree.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "inspect/target/xalloc.h"

struct parent { pid_t pid, of; };
struct forest { struct parent *p; size_t n; };

static int collect(pid_t pid, void *arg)
{
	struct forest *f = arg;
	struct proc p;
	struct err e;

	if (proc_read(&p, pid, &e)) return 0;
	f->p = xreallocarray(f->p, f->n + 1, sizeof *f->p);
	f->p[f->n++] = (struct parent){ pid, p.ppid };
	return 0;
}

size_t tree_of(pid_t root, pid_t pid[TREE_MAX])
{
	struct forest f = { 0 };
	struct err e;
	size_t n = 1;

	pid[0] = root;
	proc_each(collect, &f, &e);
	/* in the order in which they are found, each one's children: an order of process ids tells nothing once these begin anew */
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < f.n && n < TREE_MAX; k++)
			if (f.p[k].of == pid[i] && f.p[k].pid != root) pid[n++] = f.p[k].pid;
	free(f.p);
	return n;
}

/* The inodes of what listens: /proc/PID/net has those of the process's network namespace. */
struct listeners { unsigned long *inode; size_t n; };

static void listeners_read(struct listeners *l, pid_t pid, const char *table, const char *format, unsigned state)
{
	char path[64], line[512];
	unsigned long inode;
	unsigned is;

	snprintf(path, sizeof path, "/proc/%d/net/%s", (int)pid, table);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, format, &is, &inode) != 2 || is != state) continue;
		l->inode = xreallocarray(l->inode, l->n + 1, sizeof *l->inode);
		l->inode[l->n++] = inode;
	}
	if (f) fclose(f);
}

static int has(const struct listeners *l, const char *link)
{
	unsigned long inode;

	if (sscanf(link, "socket:[%lu]", &inode) != 1) return 0;
	for (size_t i = 0; i < l->n; i++)
		if (l->inode[i] == inode) return 1;
	return 0;
}

static int holds(const struct listeners *l, pid_t pid)
{
	char path[300], link[64];
	int found = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	DIR *d = opendir(path);
	for (struct dirent *de; d && !found && (de = readdir(d));) {
		snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, de->d_name);
		ssize_t n = readlink(path, link, sizeof link - 1);
		link[n > 0 ? n : 0] = 0;
		found = has(l, link);
	}
	if (d) closedir(d);
	return found;
}

int tree_listens(const pid_t *pid, size_t n)
{
	enum { TCP_LISTEN = 0x0a, ACCEPTS = 0x10000 /* SO_ACCEPTCON */ };
	static const char tcp[] = " %*d: %*s %*s %x %*s %*s %*s %*s %*s %lu", un[] = "%*s %*s %*s %x %*s %*s %lu";
	struct listeners l = { 0 };
	int found = 0;

	listeners_read(&l, pid[0], "tcp", tcp, TCP_LISTEN);
	listeners_read(&l, pid[0], "tcp6", tcp, TCP_LISTEN);
	listeners_read(&l, pid[0], "unix", un, ACCEPTS);
	for (size_t i = 0; i < n && l.n && !found; i++) found = holds(&l, pid[i]);
	free(l.inode);
	return found;
}
