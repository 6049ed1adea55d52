/* life.c: see life.h. States: NEW until the environment can be read; STARTING while one thread sets up; RUNNING; DORMANT for good.
 * Whether we are in a forked child is told by a page of private memory that the kernel wipes in children (MADV_WIPEONFORK): no
 * system call, no atfork handler, and raw clone is covered too. vfork and threads share the page and are not children. */
#include "life.h"
#include "cc.h"
#include "live.h"
#include "modules.h"
#include "origin.h"
#include "segment.h"
#include "serve.h"
#include "settings.h"
#include "symbols.h"
#include "sys.h"
#include "thread.h"
#include "unwind.h"
#include "wire.h"

enum state { NEW, STARTING, RUNNING, DORMANT };

static struct {
	uint32_t state;
	uint32_t generation;
	uint32_t *mark;                 /* on the page that is wiped; NULL where the kernel cannot: compare pids instead */
	uint32_t pid, parent;
	uint64_t early;                 /* allocations served while NEW */
	int (*clock)(int, long *);      /* the process's own clock_gettime: no system call, as a rule */
	char notices[WIRE_NOTICES];
} life;

/* Found from outside by its magic. */
static struct wire_anchor anchor ALIGNED(64) = { .magic = WIRE_ANCHOR_MAGIC, .version = WIRE_VERSION };

static void anchor_set(void)
{
	anchor.size = segment.head->size;
	anchor.pid = life.pid;
	RELEASE(anchor.segment, (uint64_t)segment.head);
}

static int is_child(void)
{
	return life.mark ? !LOAD(*life.mark) : (uint32_t)sys_getpid() != life.pid;
}

/* A new segment is in place: everything that refers to one begins anew. */
static void begin(void)
{
	life.pid = segment.head->pid;
	segment.head->parent = life.parent;
	if (life.parent) segment.head->flags |= WIRE_FORKED;
	segment.head->loss[WIRE_LOST_EARLY] = life.early;
	modules_publish(segment.modules, &segment.head->section[0], &segment.head->loss[WIRE_LOST_MODULE_FULL]);
	if (settings.exact) live_filter_saturate();
	anchor_set();
	life.generation++;
	RELEASE(life.state, RUNNING);
	thread_met(life.generation);
}

/* Were we meant? An exec keeps the pid; a program that a followed one started has another. */
static int meant(void)
{
	return !settings.pid || settings.follow || settings.pid == (uint64_t)sys_getpid();
}

static COLD void start(void)
{
	uint32_t state = NEW;
	if (!settings_ready()) {
		ADD(life.early, 1);
		return;
	}
	if (!CAS(life.state, &state, STARTING)) return;
	settings_read(life.notices, sizeof life.notices);
	if (!meant()) {
		anchor.idle = WIRE_IDLE_NOT_MEANT;
		RELEASE(life.state, DORMANT);
		return;
	}
	life.mark = origin_mark();
	unwind_set_top(settings_argc());
	modules_scan();
	if (segment_open(life.notices)) {
		anchor.idle = WIRE_IDLE_NO_MEMORY;
		RELEASE(life.state, DORMANT);
		return;
	}
	thread_init();
	life.clock = (int (*)(int, long *))symbols_find_next("clock_gettime");
	begin();
}

/* Only the forking thread lives here. What the others were doing in our memory is void. */
static COLD void restart_in_child(void)
{
	uint32_t state = RUNNING;
	if (!CAS(life.state, &state, STARTING)) return;
	if (life.mark) *life.mark = 1;
	life.parent = life.pid;
	life.early = 0;
	modules_forked();
	serve_forked();
	thread_forked();
	live_filter_clear();
	if (segment_renew()) {
		RELEASE(life.state, DORMANT);
		return;
	}
	begin();
}

int life_ready(void)
{
	uint32_t state = ACQUIRE(life.state);
	if (UNLIKELY(state == NEW)) {
		start();
		state = ACQUIRE(life.state);
	}
	if (UNLIKELY(state == RUNNING && origin_withdrawn())) {
		life_stop();
		return 0;
	}
	if (UNLIKELY(state == RUNNING && is_child())) {
		restart_in_child();
		state = ACQUIRE(life.state);
	}
	return state == RUNNING;
}

void life_stop(void)
{
	if (ACQUIRE(life.state) == RUNNING) RELEASE(life.state, DORMANT);
}

int life_running(void)
{
	return ACQUIRE(life.state) == RUNNING && !is_child();
}

int life_dormant(void)
{
	return ACQUIRE(life.state) == DORMANT;
}

uint32_t life_generation(void)
{
	return LOAD(life.generation);
}

void life_tick(uint64_t now)
{
	struct wire_clock *last = &segment.head->last;
	long t[2];
	if (now - LOAD(last->ticks) < 1ULL << 31 || !life.clock || life.clock(CLOCK_MONOTONIC, t)) return;
	STORE(last->ticks, now);
	STORE(last->monotonic_ns, (uint64_t)t[0] * 1000000000u + (uint64_t)t[1]);
}

void life_thread_started(void)
{
	if (settings.thread != SETTINGS_THREAD_NEVER && life_ready()) serve_start();
}

void life_objects_changed(void)
{
	if (life_running()) modules_scan();
}
