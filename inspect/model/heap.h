/* heap.h: what was read of a process's allocators from outside. Plain data, no I/O. Sizes in bytes; HEAP_UNKNOWN where a figure cannot
 * be known, which is never shown as zero. */
#ifndef ALLOCTOP_HEAP_H
#define ALLOCTOP_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define HEAP_UNKNOWN UINT64_MAX

enum heap_status {
	HEAP_COMPLETE,          /* every invariant held */
	HEAP_TORN,              /* it changed under us, also after retries: figures are near, `bad` says how many pieces made no sense */
	HEAP_UNSUPPORTED,       /* recognised, but this layout cannot be read */
};

struct heap_class {
	uint64_t size;          /* bytes of a slot, without the allocator's header */
	uint64_t live, free, cached;    /* objects; cached: freed by the program, kept in a thread's cache, not counted in live or free */
	uint64_t requested;     /* bytes the program asked for, of the live ones */
	uint64_t slabs;         /* slabs, spans, groups, pages: by the allocator's own word */
	uint64_t pinned;        /* slabs at most a quarter used */
	uint64_t churn;         /* the allocator's own counter of it, if it has one */
};

struct heap_arena {
	char name[40];          /* "main arena", "arena 3" */
	uint64_t addr;
	uint64_t threads;       /* attached */
	uint64_t mapped, live, free, cached;
	uint64_t top;           /* glibc: the trimmable end */
};

/* A lock of the allocator, for inspect/lock. */
enum heap_lock_kind { HEAP_LOCK_MUSL, HEAP_LOCK_FUTEX3 /* 0 free, 1 held, 2 held with waiters */, HEAP_LOCK_PAIR /* word, waiters */, HEAP_LOCK_SPIN /* tcmalloc */, HEAP_LOCK_MUTEX /* pthread */ };
struct heap_lock { char name[56]; uint64_t addr; enum heap_lock_kind kind; };

/* What a thread has of an allocator, and its stack. */
struct heap_thread { int tid; char name[16]; uint64_t cached, cached_objects, stack; char arena[40]; };

struct heap_fact { const char *name; double value; const char *unit; };         /* what only this allocator has: "mmap_counter" */

struct heap_allocator {
	const char *name;       /* "glibc", "musl mallocng", "musl oldmalloc", "jemalloc", "tcmalloc", "mimalloc" */
	char version[32];       /* "" if unknown; "2.35..2.42" where only the layout tells */
	char evidence[200];     /* why we think so */
	char owner[64];         /* base name of the object it lives in */
	uint64_t state;         /* address of its state in the target */
	int in_use;             /* the program's malloc; 0: libc's own or idle */
	enum heap_status status;
	char status_text[160];
	uint64_t bad;
	double read_s;          /* how long its reader took */
	uint64_t mapped;        /* address space it manages */
	uint64_t live_objects, live_bytes;      /* usable bytes handed out to the program; without caches where these can be told apart */
	uint64_t requested_bytes;
	uint64_t cached_objects, cached_bytes;  /* tcache, thread caches; HEAP_UNKNOWN: contained in live */
	uint64_t free_objects, free_bytes;      /* held, not handed out */
	uint64_t metadata_bytes;                /* headers, groups, bitmaps */
	uint64_t large_objects, large_bytes;    /* of live: individually mapped or beyond the classes */
	struct heap_class *class; size_t nclasses;      /* ascending by size, only those ever used */
	struct heap_arena *arena; size_t narenas;
	struct heap_lock *lock; size_t nlocks;
	struct heap_thread *thread; size_t nthreads;    /* those whose cache or arena is known */
	struct heap_fact fact[16]; size_t nfacts;
};

void heap_allocator_free(struct heap_allocator *a);
/* None of its sums is known. */
void heap_unknown(struct heap_allocator *a);
/* Appends, zeroed. The pointer is valid until the next append. */
struct heap_class *heap_add_class(struct heap_allocator *a);
/* The class of this size, appended if it is new. Keeps the order. */
struct heap_class *heap_class_of(struct heap_allocator *a, uint64_t size);
struct heap_arena *heap_add_arena(struct heap_allocator *a);
/* The thread of this tid, appended if it is new: ask in ascending order. */
struct heap_thread *heap_thread_of(struct heap_allocator *a, int tid);
void heap_add_lock(struct heap_allocator *a, enum heap_lock_kind kind, uint64_t addr, const char *name);
void heap_add_fact(struct heap_allocator *a, const char *name, double value, const char *unit);

/* One row of the ledger: all rows add up to `rss` exactly. */
struct ledger_row {
	char name[56];          /* "glibc: live", "thread stacks", "program and library files", "unexplained" */
	uint64_t bytes;         /* resident */
	uint64_t swapped;
	char note[80];          /* "estimate: …", "torn: …"; "" */
	int derived;            /* computed as what other rows leave */
};

struct ledger {
	uint64_t rss;           /* as the kernel said at that moment */
	struct ledger_row *row; size_t nrows;
	/* beside RSS */
	uint64_t retained;      /* free in an allocator, not resident */
	uint64_t lazy_free;     /* resident now, the kernel may take it at any time */
	uint64_t swapped, huge;
	uint64_t internal, external_free, external_resident;    /* fragmentation: rounding bytes; free resident and resident bytes of allocators */
};

/* One mapping, with what it is for. */
struct heap_map { uint64_t start, end, resident, swapped; char what[56]; char path[128]; };

/* Resident memory on one NUMA node. */
struct heap_node { unsigned node; uint64_t anonymous, file; };

struct heap {
	struct heap_allocator *allocator; size_t nallocators;   /* in use first */
	struct ledger ledger;
	struct heap_map *map; size_t nmaps;     /* those with anything in them, ascending */
	struct heap_thread *thread; size_t nthreads;    /* all, with their stacks and what they have of the allocator in use */
	struct heap_node *node; size_t nnodes;  /* where the machine has more than one, else none */
	double read_s, frozen_s;
	int frozen_late;        /* it had to be let go before the reading was done */
	unsigned retries;
	int full;               /* --full */
};

void heap_free(struct heap *h);

#endif
