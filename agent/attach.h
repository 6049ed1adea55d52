/* attach.h: the contract between the attachable image (alloctop-attach.so) and alloctop, which puts it into a process from outside.
 * Beside wire.h the one header of the agent that others include; inspect/attach does, and nobody else.
 *
 * The image is the agent without a loader: one shared object that needs no other, with no thread-local storage, no constructor, no
 * undefined symbol, and relocations of the kind R_X86_64_RELATIVE only. It makes no call into the process but of the functions that
 * stand in `entry[].real` (and `clock`), takes no lock, starts no thread, opens nothing. Whoever loads it maps its segments at any
 * address, relocates it, fills in struct attach_block (the exported object `alloctop_attach`) and, last of all, sets `state` and stores
 * the hooks. Each hook is an ordinary function of its entry's type; entered by a jump or through a GOT entry.
 *
 * The agent's data begins in the first hooked call after `state` became ATTACH_ACTIVE. From then on the segment is read, and obeys its
 * control words, like a forked child's: through the process's memory, found by the anchor (struct wire_anchor) in the image's data.
 *
 * System calls that the image makes: rt_sigprocmask with an invalid first argument (asks whether memory is readable), gettid unless
 * `tid_offset` is given, getpid unless `mark` is, mmap in a forked child; and when ATTACH_SANDBOXED is not set, prctl(PR_GET_NAME) for a
 * new thread, and getrusage while calls are timed.
 *
 * Everything here is written from outside while no thread of the process runs, except where it says otherwise. Raise ATTACH_VERSION when
 * anything changes: detaching is often done by another alloctop than attaching. */
#ifndef ALLOCTOP_ATTACH_H
#define ALLOCTOP_ATTACH_H

#include <stdint.h>

#define ATTACH_MAGIC "ALLOCTOP-ATTACH"  /* 16 bytes with terminator */
#define ATTACH_SYMBOL "alloctop_attach" /* the block, in the image's dynamic symbols */

enum {
	ATTACH_VERSION = 2,
	ATTACH_NAME = 48,
	ATTACH_ENTRIES_MAX = 192,
	ATTACH_MODULES_MAX = 1024,
	ATTACH_SCALES = 4,
};

/* What the agent writes its data to, by scale: each is a quarter of the one before, but for what every one needs; to be rounded up to pages. The
   image takes the largest layout that fits into what it is given. */
#define ATTACH_SEGMENT_SIZE(scale) ((5ULL << 18) + ((507ULL << 18) >> 2 * (scale)))
#define ATTACH_PRIVATE_SIZE(scale) ((64ULL << 20) >> 2 * (scale))

enum attach_state {
	ATTACH_INERT,                   /* hooks pass on and record nothing; also after detaching */
	ATTACH_ACTIVE,
};

enum attach_flag {
	ATTACH_SANDBOXED = 1,           /* a seccomp filter is in force: only the system calls that cannot be done without */
};

/* How an entry does its work: enum real_nature of the agent. An entry of which nothing is said is watched in its first calls; a
   throwing C++ entry (`throws`) cannot be watched, and counts as ATTACH_OUTER until something is said. As ATTACH_LEAF its work is done by the
   plain function of the same name (malloc for operator new, memalign for the aligned ones, tc_malloc, mi_malloc): that one must have a `real` of
   the same allocator, or blocks would be freed by one that did not make them. */
enum attach_nature {
	ATTACH_LEARN,
	ATTACH_LEAF,                    /* does it itself: calls no other function that is hooked */
	ATTACH_OUTER,                   /* always calls another function that is hooked, which does the counting (libstdc++'s operator new) */
	ATTACH_VARIES,                  /* differs from call to call (glibc's memalign, hooked at its entry): each call is watched */
};

/* One entry point. `name`, `hook`, `throws` come with the image; a row with an empty name ends the table. */
struct attach_entry {
	char name[ATTACH_NAME];
	uint64_t hook;                  /* address of our function, once relocated */
	uint64_t real;                  /* in: the function to pass on to: the address a GOT entry held, or the trampoline to the displaced
	                                   instructions; 0: nobody provides it, and it must not be hooked */
	uint64_t origin;                /* in: an address in the real function's own code: `real`, or what the trampoline stands for */
	uint32_t nature;                /* in: enum attach_nature */
	uint32_t throws;                /* may end by a C++ exception: never under a frame of ours, as no unwinder knows our code */
};

/* A loaded object, as values: the image never reads an object's headers. Addresses are absolute; 0: there is none. */
struct attach_module {
	uint64_t start, end;            /* first to last loadable segment */
	uint64_t text, text_end;        /* the same of the executable ones */
	uint64_t text_offset;           /* of `text`, in the file */
	uint64_t bias;                  /* address = ELF virtual address + bias */
	uint64_t tls;                   /* p_memsz + p_align of PT_TLS */
	uint64_t hdr, hdr_end;          /* .eh_frame_hdr (PT_GNU_EH_FRAME) */
	uint64_t frames, frames_end;    /* only without hdr: .eh_frame and the end of the segment it is in */
	uint8_t is_main;                /* the program itself */
	uint8_t text_readable;          /* all its executable segments are readable */
	uint8_t path_truncated;
	uint8_t build_id_size;
	uint8_t build_id[40];
	uint8_t reserved[4];
	char path[240];                 /* NUL-terminated, at most WIRE_PATH + 3 bytes; the program itself by its executable's */
};

struct attach_block {
	char magic[16];
	uint32_t version;
	uint32_t size;                  /* of this struct, with its entries */

	/* ---- in ---------------------------------------------------------------------------------------------------------------- */
	uint32_t state;                 /* enum attach_state. May be written while the process runs: one aligned word */
	uint32_t flags;                 /* enum attach_flag */
	uint32_t pid;                   /* as the process sees itself */
	uint32_t tid_offset;            /* from a thread's pointer (%fs) to the 4-byte word where its libc keeps its tid; 0: unknown */
	uint64_t image, image_end;      /* all that was mapped for the image: its frames are left out of stacks */
	uint64_t segment, segment_size; /* zeroed memory for the segment: MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, page aligned */
	uint64_t private, private_size; /* the same for what only the agent reads */
	uint64_t mark;                  /* a word that is not 0, on a page of its own with MADV_WIPEONFORK, to tell forked children; 0: none */
	uint64_t stack_top;             /* where the main thread's stack begins: the address of argc (start_stack of /proc/PID/stat); 0: unknown */
	uint64_t clock;                 /* int clock_gettime(int, long[2]) of the vDSO; 0 when there is none, and in another time namespace */
	uint64_t rate;                  /* mean bytes between samples, >= 1 */
	uint64_t depth;                 /* frames kept of a stack, 1..WIRE_DEPTH_MAX */
	uint64_t started_ticks, started_monotonic_ns, started_realtime_ns;  /* the moment of attaching, on all three clocks */

	/* The loaded objects: two tables of ATTACH_MODULES_MAX rows inside the image, of which `modules_turn & 1` is current. To tell of
	   objects that came or went while the process runs: fill the other one, set its count, then raise modules_turn by one (aligned
	   words, in this order). The image looks at it when a sample is due. At most one change a second: a reader may be in the old one. */
	uint64_t modules[2];            /* their addresses, once relocated */
	uint32_t modules_count[2];
	uint32_t modules_turn;
	uint32_t modules_lost;          /* objects that found no room in the table */
	uint64_t passed_by[2];          /* where the hooks of the first two entries, malloc and free, read what they pass on to, once relocated: their `real`
	                                   goes there too, so that they never jump elsewhere first (real.c) */

	/* ---- out, any time ------------------------------------------------------------------------------------------------------- */
	uint32_t started;               /* the agent has begun: the anchor leads to the segment. 2: it could not, the memory does not do */
	uint32_t unused;

	/* ---- alloctop's own notes: nothing in the image looks at them ------------------------------------------------------------- */
	uint64_t note[16];              /* where the undo log and the trampolines are, and the like */

	struct attach_entry entry[ATTACH_ENTRIES_MAX];
};

_Static_assert(sizeof(struct attach_entry) == ATTACH_NAME + 32, "attach_entry");
_Static_assert(sizeof(struct attach_module) == 88 + 48 + 240, "attach_module");
_Static_assert(sizeof(struct attach_block) % 8 == 0, "attach_block");

#endif
