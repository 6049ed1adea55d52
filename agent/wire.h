/* wire.h: the segment and the socket's messages, the one contract between the agent and everything outside.
 *
 * The segment is one block of memory that the agent in the target writes and alloctop reads. It is a sealed memfd
 * (mapped as "/memfd:alloctop"), a file (ALLOCTOP_SEGMENT), or, in a forked child, private memory. It needs no help from the
 * target to be read. All references are offsets or indices, never pointers, except addresses of the target's own code and
 * heap, which are data here. A reader bounds every one of them: a target is hostile input.
 *
 * Concurrency: counters only grow within an epoch and are read without locks; a live record is valid when `addr` is not 0 and
 * `seq` is even and the same before and after it was copied. A reader that copies the segment sees each 8-byte word whole.
 *
 * Units: sizes in bytes as the program requested them; times in ticks of the cycle counter (clock pairs in the header convert
 * them); "q16" is a fixed-point count with 16 fractional bits.
 *
 * Bump WIRE_VERSION when anything here changes. man/alloctop-segment.5 describes the same for people. */
#ifndef ALLOCTOP_WIRE_H
#define ALLOCTOP_WIRE_H

#include <stdint.h>

#define WIRE_MAGIC "ALLOCTOP"           /* 8 bytes, no terminator */
#define WIRE_ANCHOR_MAGIC "ALLOCTOP-ANCHOR"  /* 16 bytes with terminator */
#define WIRE_MEMFD_NAME "alloctop"      /* maps show /memfd:alloctop (deleted) */

enum {
	WIRE_VERSION = 4,
	WIRE_SECTIONS_MAX = 16,
	WIRE_DEPTH_MAX = 128,           /* frames kept of one stack, innermost first */
	WIRE_LIFETIMES = 24,            /* buckets of a lifetime histogram */
	WIRE_LIFETIME_SHIFT = 8,        /* bucket b holds lifetimes in [2^(8+2b), 2^(8+2b+2)) ticks; the first and last are open */
	WIRE_CLASSES = 256,             /* size classes of the estimate: four per doubling, see wire_class_of */
	WIRE_TIMING_BUCKETS = 40,       /* of the time a call takes: bucket b holds [2^b, 2^(b+1)) ticks */
	WIRE_PATH = 232,
	WIRE_NOTICES = 1024,
};

enum wire_kind {                        /* what a section holds */
	WIRE_MODULES = 1,               /* struct wire_module */
	WIRE_FRAMES,                    /* uint64_t: code addresses, pooled; sites point into it */
	WIRE_SITES,                     /* struct wire_site; entry 0 gathers samples whose stack found no room */
	WIRE_LIVE,                      /* struct wire_live */
	WIRE_THREADS,                   /* struct wire_thread; entry 0 gathers ended and unplaced threads */
	WIRE_CLASS,                     /* struct wire_class, WIRE_CLASSES of them */
	WIRE_EXACT,                     /* struct wire_exact[WIRE_CLASSES] per thread entry; capacity 0 unless asked for */
	WIRE_TIMING,                    /* struct wire_timing[WIRE_CLASSES] per enum wire_op; empty unless asked for */
};

struct wire_section {
	uint64_t offset;                /* from the start of the segment */
	uint32_t kind;                  /* enum wire_kind; 0: unused row */
	uint32_t entry_size;
	uint32_t capacity;              /* entries there is room for */
	uint32_t used;                  /* entries ever used: a reader looks at [0, used) */
};

/* What was lost or cut short, and why. Counts, never reset by an epoch. */
enum wire_loss {
	WIRE_LOST_LIVE_FULL,            /* sample counted as allocated, not kept as live: table full */
	WIRE_LOST_CONTENTION,           /* the same, after bounded retries */
	WIRE_LOST_SITE_FULL,            /* sample kept, its stack gathered in site 0: table full */
	WIRE_LOST_THREAD_FULL,          /* thread's totals gathered in thread 0 */
	WIRE_LOST_MODULE_FULL,          /* a loaded object found no room: its frames have no name after it is unloaded */
	WIRE_LOST_STALE,                /* address allocated again though never seen freed: old record dropped */
	WIRE_LOST_EARLY,                /* allocations served before the agent could start */
	WIRE_CUT_DEPTH,                 /* stacks longer than WIRE_DEPTH_MAX */
	WIRE_CUT_UNKNOWN_CODE,          /* stacks that reached code of no known module */
	WIRE_CUT_NO_RULE,               /* stacks that reached code without (usable) unwind information */
	WIRE_CUT_BOUNDS,                /* stacks whose next frame lay outside the thread's stack */
	WIRE_LOST_SLOT,                 /* calls of threads for which an attached agent had no room: passed on, not seen */
	WIRE_LOSSES = 16,
};

enum wire_flag {
	WIRE_FORKED = 1,                /* began in a forked child: figures count from the fork on */
	WIRE_PRIVATE = 2,               /* private memory: no descriptor to hand over */
	WIRE_EXACT_ON = 4,              /* WIRE_EXACT is filled */
	WIRE_SERVED = 8,                /* the helper thread runs and answers on the socket */
	WIRE_ATTACHED = 16,             /* put into a running process: `start` is when, and what was allocated before is not known */
};

/* A moment on both clocks. */
struct wire_clock { uint64_t ticks, monotonic_ns; };

/* What a commander may write: the helper thread for the socket, or alloctop itself with process_vm_writev.
   The agent looks at it whenever a sample is due. Each word stands alone; any value is safe. */
struct wire_control {
	uint64_t rate;                  /* mean bytes between samples; 1: every allocation, exactly. 0 is read as 1 */
	uint32_t running;               /* 0: take no new samples (frees are still followed) */
	uint32_t epoch;                 /* raised by one to reset: totals and live records of older epochs no longer count */
	uint32_t timing;                /* not 0: time calls, about as many as are sampled (two or three system calls each) */
	uint32_t reserved;
};

struct wire_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size;
	uint64_t size;                  /* bytes of the whole segment */
	uint32_t pid;                   /* as the process sees itself: differs from outside in a PID namespace */
	uint32_t parent;                /* when WIRE_FORKED: the process it was forked from, else 0 */
	uint32_t flags;                 /* enum wire_flag */
	uint32_t page_size;
	uint64_t realtime_ns;           /* at `start` */
	struct wire_clock start, last;  /* last: refreshed about once a second while samples are taken */
	struct wire_control control;
	uint64_t loss[WIRE_LOSSES];     /* enum wire_loss */
	struct wire_section section[WIRE_SECTIONS_MAX];
	char notices[WIRE_NOTICES];     /* settings that were not understood, one line each, NUL-terminated */
};

enum wire_module_flag { WIRE_MODULE_MAIN = 1 /* the program itself */, WIRE_MODULE_PATH_CUT = 2 /* the path did not fit */ };

/* A loaded object. Entries are never removed: `unloaded` is set when it goes. */
struct wire_module {
	uint64_t start, end;            /* addresses it covers */
	uint64_t bias;                  /* address = ELF virtual address + bias */
	uint64_t unloaded;              /* ticks; 0: still loaded */
	uint64_t text, text_end;        /* of it the executable part, whole pages */
	uint64_t text_offset;           /* where that begins in the file */
	uint8_t build_id_size;
	uint8_t build_id[39];
	uint32_t flags;                 /* enum wire_module_flag */
	char path[WIRE_PATH + 4];       /* as the loader names it; the program itself by /proc/self/exe */
};

/* One call stack that allocates, with its totals since the start of the epoch. */
struct wire_site {
	uint64_t hash;
	uint32_t frames;                /* index into WIRE_FRAMES of the innermost return address */
	uint16_t depth;
	uint16_t cut;                   /* 0 whole; else 1 + the WIRE_CUT_… it ended by */
	uint32_t epoch;
	uint32_t reserved;
	uint64_t samples;               /* allocations sampled */
	uint64_t alloc_bytes;           /* estimates, each sample scaled before it was summed */
	uint64_t alloc_objects_q16;
	uint64_t alloc_variance_kib2;   /* variance of alloc_bytes, in KiB squared */
	uint64_t freed_samples;
	uint64_t freed_bytes;
	uint64_t freed_objects_q16;
	uint64_t remote_bytes;          /* of freed_bytes: freed by another thread than the one that allocated */
	uint64_t remote_samples;
	uint32_t lifetime[WIRE_LIFETIMES]; /* freed samples by age */
	uint64_t timed_q16;             /* calls that the timed ones stand for; of them those that waited or spun, and the time that cost */
	uint64_t waits_q16, wait_ticks;
};

/* One sampled block that is allocated now. */
struct wire_live {
	uint64_t addr;                  /* 0: empty slot */
	uint64_t size;                  /* bytes requested */
	uint64_t weight;                /* bytes it stands for: size / (1 - exp(-size / rate)); objects = weight / size, 1 at size 0 */
	uint64_t birth;                 /* ticks */
	uint32_t site;
	uint32_t thread;                /* wire_thread_id of the thread that allocated it */
	uint32_t epoch;
	uint32_t seq;                   /* odd: being written */
};

/* One thread. Totals are what it did since the epoch began up to its last flush: a flush comes with each sample. */
struct wire_thread {
	uint32_t tid;                   /* 0: free slot (entry 0 excepted) */
	uint32_t epoch;
	uint64_t start;                 /* ticks */
	uint64_t allocs, alloc_bytes, frees;  /* calls, requested bytes, calls */
	uint64_t samples;
	char name[16];                  /* when it was first seen; "" if unknown */
	uint32_t serial;                /* which user of this slot: slots are used again */
	uint32_t reserved;
};

/* A thread in a live record: slot in the low 12 bits, the slot's serial (20 bits) above. Another serial than the slot's now
   means that the thread has ended: treat it as thread 0. */
static inline uint32_t wire_thread_id(uint32_t slot, uint32_t serial) { return slot | serial << 12; }
static inline uint32_t wire_thread_slot(uint32_t id) { return id & 4095; }
static inline uint32_t wire_thread_serial(uint32_t id) { return id >> 12; }

/* Totals by size class (wire_class_of the requested size), estimated from the samples. */
struct wire_class {
	uint32_t epoch;
	uint32_t reserved;
	uint64_t alloc_bytes, alloc_objects_q16, freed_bytes, freed_objects_q16;
};

/* Exact totals of one thread and one size class (of the usable size). Only with ALLOCTOP_EXACT=1. */
struct wire_exact { uint64_t allocs, requested, usable, frees, freed_usable; };

enum wire_op { WIRE_OP_MALLOC /* and aligned forms, operator new */, WIRE_OP_CALLOC, WIRE_OP_REALLOC, WIRE_OP_FREE, WIRE_OPS };

/* Timed calls of one kind and size class; each stands for as many as the sample does that it was chosen by. Time beyond the usual is told apart by what the
   kernel counted meanwhile: a voluntary switch is a wait for a lock, a minor fault a page fault, another switch lost to other threads;
   none of them, but eight times the usual and more, is spinning, in user mode or in futex calls that return at once. */
struct wire_timing {
	uint32_t epoch, reserved;
	uint64_t calls_q16, samples;
	uint64_t ticks, usual_ticks, max_ticks;         /* all of them; one undisturbed call; the longest */
	uint64_t waits_q16, wait_ticks;
	uint64_t spins_q16, spin_ticks;
	uint64_t fault_ticks, preempted_ticks;
	uint64_t bucket_q16[WIRE_TIMING_BUCKETS];
};

/* Why an agent that is there has no segment. */
enum wire_idle { WIRE_IDLE_NEW, WIRE_IDLE_NOT_MEANT, WIRE_IDLE_NO_MEMORY };

/* Stands in the agent's writable data, so that a segment in private memory can be found from outside. */
struct wire_anchor {
	char magic[16];
	uint64_t segment, size;         /* address and bytes in the target; 0: none yet */
	uint32_t pid, version;          /* pid whose segment it is: a forked child that has not sampled yet shows its parent's */
	uint32_t idle;                  /* enum wire_idle, while there is no segment */
};

/* The socket, SOCK_SEQPACKET, $ALLOCTOP_DIR/PID.sock: one struct wire_message each way per packet. */
enum wire_verb {
	WIRE_HELLO = 1,                 /* the answer carries a read-only descriptor of the segment (SCM_RIGHTS) */
	WIRE_RATE,                      /* value: new rate */
	WIRE_RESET, WIRE_STOP, WIRE_START,
	WIRE_TIME,                      /* value: the timing word */
};

struct wire_message {
	char magic[8];
	uint32_t version;
	uint32_t verb;                  /* enum wire_verb, repeated in the answer */
	uint64_t value;
	int32_t status;                 /* answer: 0, or a negated errno */
	uint32_t pid;
};

_Static_assert(sizeof(struct wire_section) == 24, "wire_section");
_Static_assert(sizeof(struct wire_control) == 24, "wire_control");
_Static_assert(sizeof(struct wire_header) == 8 + 8 + 8 + 16 + 8 + 32 + 24 + 128 + 16 * 24 + 1024, "wire_header");
_Static_assert(sizeof(struct wire_module) == 56 + 40 + 4 + WIRE_PATH + 4, "wire_module");
_Static_assert(sizeof(struct wire_site) == 24 + 72 + 4 * WIRE_LIFETIMES + 24, "wire_site");
_Static_assert(sizeof(struct wire_live) == 48, "wire_live");
_Static_assert(sizeof(struct wire_thread) == 72, "wire_thread");
_Static_assert(sizeof(struct wire_class) == 40, "wire_class");
_Static_assert(sizeof(struct wire_exact) == 40, "wire_exact");
_Static_assert(sizeof(struct wire_timing) == 96 + 8 * WIRE_TIMING_BUCKETS, "wire_timing");
_Static_assert(sizeof(struct wire_anchor) == 48, "wire_anchor");
_Static_assert(sizeof(struct wire_message) == 32, "wire_message");

/* Class of a size: 0 holds 0..8; then four classes per doubling, each (lower, upper]. */
static inline unsigned wire_class_of(uint64_t size)
{
	if (size <= 8) return 0;
	uint64_t n = size - 1;
	unsigned top = 63 - (unsigned)__builtin_clzll(n);       /* >= 3 */
	unsigned c = (top - 3) * 4 + (unsigned)(n >> (top - 2) & 3) + 1;
	return c < WIRE_CLASSES ? c : WIRE_CLASSES - 1;
}

/* The largest size of a class. */
static inline uint64_t wire_class_max(unsigned c)
{
	if (c == 0) return 8;
	unsigned top = 3 + (c - 1) / 4, quarter = (c - 1) % 4;
	return top >= 62 ? UINT64_MAX : ((uint64_t)(4 + quarter + 1) << (top - 2));
}

#endif
