/* agent.c: one agent, from finding it to giving it orders. See agent.h. A segment belongs to a process when its header says so: a
 * forked child still has its parent's memfd mapped and open. */
#include "inspect/client/agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "inspect/client/anchor.h"
#include "inspect/client/descriptor.h"
#include "inspect/client/names.h"
#include "inspect/client/segment.h"
#include "inspect/client/socket.h"
#include "inspect/client/ticks.h"
#include "inspect/model/snapshot.h"
#include "inspect/target/err.h"
#include "inspect/target/maps.h"
#include "inspect/target/mem.h"
#include "inspect/target/proc.h"
#include "inspect/target/xalloc.h"

struct agent {
	struct proc proc;               /* pid 0: a file without a live process */
	enum agent_way way;
	struct segment seg;
	struct stat st;                 /* of the memfd or file */
	char *name;
	int space;                      /* /proc/PID/maps held open: it becomes empty when that address space ends; -1: not permitted */
	int same_clock;                 /* its CLOCK_MONOTONIC is ours */
};

static const char MEMFD_LINK[] = "/memfd:" WIRE_MEMFD_NAME " (deleted)";

/* Takes over mem. 0 when its segment is this process's own. */
static int adopt(struct agent *a, enum agent_way way, struct mem *mem, uint64_t base, uint64_t size, struct err *e)
{
	struct wire_header h;

	a->seg = (struct segment){ mem, base, size, a->name };
	if (!segment_header(&a->seg, &h, e)) {
		if (h.pid == (uint32_t)a->proc.inner_pid) {
			a->way = way;
			return 0;
		}
		err_set(e, ERR_UNSUPPORTED, "%s: a forked child that has not taken a sample of its own yet (its parent is recorded): "
		        "try again when it has allocated more", a->name);
	}
	mem_close(mem);
	a->seg.mem = NULL;
	return -1;
}

static int adopt_descriptor(struct agent *a, enum agent_way way, int fd, struct err *e)
{
	struct mem *mem = descriptor_mem(fd, &a->st);

	if (!mem) return err_set(e, ERR_FAIL, "%s: the agent's segment is not a regular file", a->name);
	return adopt(a, way, mem, 0, (uint64_t)a->st.st_size, e);
}

static int by_socket(struct agent *a, struct err *e)
{
	int fd = socket_hello(&a->proc);

	return fd < 0 ? -1 : adopt_descriptor(a, AGENT_SOCKET, fd, e);
}

static int by_descriptor(struct agent *a, struct err *e)
{
	char path[40], link[64];
	int found = -1;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)a->proc.pid);
	DIR *d = opendir(path);
	for (struct dirent *de; d && found && (de = readdir(d));) {
		ssize_t n = readlinkat(dirfd(d), de->d_name, link, sizeof link);
		if (n != sizeof MEMFD_LINK - 1 || memcmp(link, MEMFD_LINK, (size_t)n)) continue;
		snprintf(path, sizeof path, "/proc/%d/fd/%.10s", (int)a->proc.pid, de->d_name);
		int fd = descriptor_open(path);
		if (fd >= 0) found = adopt_descriptor(a, AGENT_DESCRIPTOR, fd, e);
	}
	if (d) closedir(d);
	return found;
}

/* What the anchor says when it does not lead to a segment. */
static int explain(const struct agent *a, const struct anchor *at, struct err *e)
{
	if (!at->loaded)
		return err_set(e, ERR_UNSUPPORTED, "no agent in pid %d (start it with: alloctop run -- CMD, or: alloctop attach %d)", (int)a->proc.pid,
		               (int)a->proc.pid);
	if (at->found && at->attached && !at->segment)
		return err_set(e, ERR_UNSUPPORTED, "%s: attached, but it has not allocated anything since", a->name);
	if (at->found && at->version != WIRE_VERSION)
		return err_set(e, ERR_UNSUPPORTED, "%s: its agent speaks version %u, this alloctop version %d: use the alloctop that came with the agent",
		               a->name, at->version, WIRE_VERSION);
	if (at->found && at->segment && at->pid != a->proc.inner_pid)
		return err_set(e, ERR_UNSUPPORTED, "%s: a forked child of pid %d that has not taken a sample of its own yet: "
		               "try again when it has allocated more", a->name, (int)at->pid);
	if (at->found && !at->segment && at->idle == WIRE_IDLE_NO_MEMORY)
		return err_set(e, ERR_UNSUPPORTED, "%s: the agent records nothing: when it began there was no memory for its tables "
		               "(raise the limit of its address space, ulimit -v)", a->name);
	if (at->found && !at->segment && at->idle == WIRE_IDLE_NOT_MEANT)
		return err_set(e, ERR_UNSUPPORTED, "%s: the agent records nothing: the program was started by the one that was meant "
		               "(to follow it: alloctop run --follow)", a->name);
	return err_set(e, ERR_UNSUPPORTED, "%s: the agent is loaded but records nothing yet: the program is just starting (try again), or was "
	               "not meant (alloctop run --follow)", a->name);
}

static int by_memory(struct agent *a, struct err *e)
{
	struct maps maps;
	struct anchor at;

	if (maps_read(&maps, a->proc.pid, e)) return -1;
	anchor_find(&at, &maps, NULL);
	struct mem *mem = mem_open_pid(a->proc.pid, e);
	if (at.loaded && !mem) {
		maps_free(&maps);
		return -1;
	}
	if (mem) anchor_find(&at, &maps, mem);
	maps_free(&maps);
	if (at.found && at.segment && at.pid == a->proc.inner_pid && at.version == WIRE_VERSION)
		return adopt(a, AGENT_MEMORY, mem, at.segment, at.size, e);
	mem_close(mem);
	return explain(a, &at, e);
}

/* Processes of another time namespace have another CLOCK_MONOTONIC. */
static int has_our_clock(pid_t pid)
{
	char path[40], ours[64], theirs[64];
	ssize_t n = readlink("/proc/self/ns/time", ours, sizeof ours);

	snprintf(path, sizeof path, "/proc/%d/ns/time", (int)pid);
	return readlink(path, theirs, sizeof theirs) == n && (n < 0 || !memcmp(ours, theirs, (size_t)n));
}

static int space_open(pid_t pid)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* The address space that we found the agent in has ended, by exit or exec, or nobody can tell. */
static int space_ended(const struct agent *a)
{
	char byte;

	return a->space < 0 || pread(a->space, &byte, 1, 0) <= 0;
}

static struct agent *agent_new(const struct proc *p, const char *name)
{
	struct agent *a = xcalloc(1, sizeof *a);

	a->space = -1;
	if (p) a->proc = *p;
	a->name = name ? xstrdup(name) : xasprintf("pid %d", (int)p->pid);
	return a;
}

void agent_close(struct agent *a)
{
	if (!a) return;
	mem_close(a->seg.mem);
	if (a->space >= 0) close(a->space);
	free(a->name);
	free(a);
}

int agent_open(pid_t pid, struct agent **out, struct err *e)
{
	struct proc p;

	*out = NULL;
	if (proc_read(&p, pid, e)) return -1;
	if (p.state == 'Z' || p.state == 'X') return err_set(e, ERR_GONE, "pid %d: has exited, only its status is left", (int)pid);
	struct agent *a = agent_new(&p, NULL);
	a->space = space_open(pid);
	a->same_clock = has_our_clock(pid);
	if (by_socket(a, e) && by_descriptor(a, e) && by_memory(a, e)) {
		agent_close(a);
		return -1;
	}
	*out = a;
	return 0;
}

/* The process that writes the file now, if it runs here. */
static void find_writer(struct agent *a)
{
	struct wire_header h;
	struct maps maps;
	struct proc p;
	struct err e;

	if (segment_header(&a->seg, &h, &e) || proc_read(&p, (pid_t)(h.pid & INT32_MAX), &e) || maps_read(&maps, p.pid, &e)) return;
	if (p.inner_pid == p.pid && anchor_mapping(&maps, a->st.st_ino)) {
		a->proc = p;
		a->space = space_open(p.pid);
		a->same_clock = has_our_clock(p.pid);
	}
	maps_free(&maps);
}

int agent_open_file(const char *path, struct agent **out, struct err *e)
{
	struct wire_header h;
	int fd = descriptor_open(path);

	*out = NULL;
	if (fd < 0) {
		if (errno == EINVAL) return err_set(e, ERR_FAIL, "%s: not a segment of alloctop's agent: it is no regular file", path);
		return err_sys(e, errno, "opening the segment %s", path);
	}
	struct agent *a = agent_new(NULL, path);
	a->way = AGENT_FILE;
	struct mem *mem = descriptor_mem(fd, &a->st);
	if (!mem) {
		agent_close(a);
		return err_set(e, ERR_FAIL, "%s: not a segment of alloctop's agent: it is no regular file", path);
	}
	a->seg = (struct segment){ mem, 0, (uint64_t)a->st.st_size, a->name };
	if (segment_header(&a->seg, &h, e)) {
		agent_close(a);
		return -1;
	}
	find_writer(a);
	*out = a;
	return 0;
}

enum agent_way agent_way(const struct agent *a)
{
	return a->way;
}

/* The same process with another program in it (exec), or one of which that cannot be told: looks for the agent anew. */
static int find_again(struct agent *a, struct err *e)
{
	struct agent *new;

	if (agent_open(a->proc.pid, &new, e)) return -1;
	if (new->proc.start_ticks != a->proc.start_ticks) {
		agent_close(new);
		return err_set(e, ERR_GONE, "pid %d: the process has exited (another one has its PID now)", (int)a->proc.pid);
	}
	struct agent old = *a;
	*a = *new;
	*new = old;
	agent_close(new);
	return 0;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int agent_snapshot(struct agent *a, struct snapshot *out, struct err *e)
{
	if (a->way != AGENT_FILE && space_ended(a) && find_again(a, e)) return -1;
	int lives = a->proc.pid && (a->way != AGENT_FILE || !space_ended(a));
	struct segment_now now = {
		.ticks = ticks_now(),
		.monotonic_ns = a->same_clock ? clock_ns(CLOCK_MONOTONIC) : 0,
		.realtime_ns = clock_ns(CLOCK_REALTIME),
	};
	if (a->way != AGENT_MEMORY && !descriptor_stat(a->seg.mem, &a->st)) a->seg.size = (uint64_t)a->st.st_size;
	if (segment_decode(&a->seg, lives ? &now : NULL, out, e)) return -1;
	if (lives) {
		out->pid = a->proc.pid;
		names_refresh(out, &a->proc);
	}
	return 0;
}

int agent_times(const struct agent *a, struct err *e)
{
	struct wire_header h;

	return segment_header(&a->seg, &h, e) ? -1 : h.control.timing != 0;
}

/* Where the control words stand in the process, after another look at what is really there: it is going to be written. */
static int find_control(const struct agent *a, struct wire_header *h, uint64_t *addr, struct err *e)
{
	struct segment seg = { .base = a->seg.base, .size = sizeof *h, .name = a->name };

	if (a->way != AGENT_MEMORY) {
		struct maps maps;
		if (maps_read(&maps, a->proc.pid, e)) return -1;
		seg.base = anchor_mapping(&maps, a->st.st_ino);
		maps_free(&maps);
		if (!seg.base)
			return err_set(e, ERR_UNSUPPORTED, "%s: the agent has no helper thread, and its segment is not mapped: no way to give it orders", a->name);
	}
	if (!(seg.mem = mem_open_pid(a->proc.pid, e))) return -1;
	int bad = segment_header(&seg, h, e);
	mem_close(seg.mem);
	if (!bad && h->pid != (uint32_t)a->proc.inner_pid)
		bad = err_set(e, ERR_FAIL, "%s: the segment mapped there is another process's", a->name);
	*addr = seg.base + offsetof(struct wire_header, control);
	return bad;
}

static int command_memory(const struct agent *a, enum agent_order order, uint64_t value, struct err *e)
{
	struct wire_header h;
	uint64_t at = 0;

	if (find_control(a, &h, &at, e)) return -1;
	uint32_t word = order == AGENT_RESET ? h.control.epoch + 1 : order == AGENT_TIME ? value != 0 : order == AGENT_START;
	switch (order) {
	case AGENT_RATE:
		return mem_write_pid(a->proc.pid, at + offsetof(struct wire_control, rate), &value, sizeof value, e);
	case AGENT_RESET:
		return mem_write_pid(a->proc.pid, at + offsetof(struct wire_control, epoch), &word, sizeof word, e);
	case AGENT_TIME:
		return mem_write_pid(a->proc.pid, at + offsetof(struct wire_control, timing), &word, sizeof word, e);
	case AGENT_STOP:
	case AGENT_START:
		return mem_write_pid(a->proc.pid, at + offsetof(struct wire_control, running), &word, sizeof word, e);
	}
	return err_set(e, ERR_FAIL, "%s: no such order to an agent: %d", a->name, (int)order);
}

int agent_command(struct agent *a, enum agent_order order, uint64_t value, struct err *e)
{
	static const enum wire_verb verbs[] = {
		[AGENT_RATE] = WIRE_RATE, [AGENT_RESET] = WIRE_RESET, [AGENT_STOP] = WIRE_STOP, [AGENT_START] = WIRE_START,
		[AGENT_TIME] = WIRE_TIME,
	};
	int status;

	if (a->way == AGENT_FILE && (!a->proc.pid || space_ended(a)))
		return err_set(e, ERR_GONE, "%s: the process of this segment does not run here: orders go to a running one", a->name);
	if (a->way != AGENT_FILE && space_ended(a) && find_again(a, e)) return -1;
	if (socket_order(&a->proc, verbs[order], value, &status) == SOCKET_NONE) return command_memory(a, order, value, e);
	return status ? err_sys(e, status < 0 ? -status : EPROTO, "%s: the agent refused the order", a->name) : 0;
}

enum agent_state agent_probe(pid_t pid)
{
	struct agent *a = NULL;
	struct wire_header h;
	struct anchor at = { 0 };
	struct maps maps;
	struct err e;
	enum agent_state state = AGENT_UNREADABLE;

	if (!maps_read(&maps, pid, &e)) {
		anchor_find(&at, &maps, NULL);
		/* an executable page that looks as ours would */
		struct mem *mem = at.attached ? mem_open_pid(pid, &e) : NULL;
		if (mem) anchor_find(&at, &maps, mem);
		mem_close(mem);
		maps_free(&maps);
		if (!at.loaded) return AGENT_NONE;
	} else if (e.kind != ERR_DENIED) {
		return AGENT_NONE;
	}
	if (!agent_open(pid, &a, &e) && !segment_header(&a->seg, &h, &e)) state = h.control.running ? AGENT_ACTIVE : AGENT_STOPPED;
	else if (e.kind == ERR_UNSUPPORTED) state = AGENT_LOADED;
	else if (e.kind == ERR_GONE) state = AGENT_NONE;
	agent_close(a);
	return state;
}
