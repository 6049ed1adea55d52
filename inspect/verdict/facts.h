/* facts.h: everything the rules look at: one process, watched for a while. Plain data: collect.c fills it, tests make it by hand. No rule reads
 * anything else. A figure that is not known is NAN (HEAP_UNKNOWN inside heap, LOCK_UNKNOWN inside locks), a group that could not be had says why. */
#ifndef ALLOCTOP_FACTS_H
#define ALLOCTOP_FACTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "inspect/lock/lock.h"
#include "inspect/model/heap.h"

struct facts_group { int known; char why[240]; /* of one not known: what was in the way, and what it would need */ };

enum facts_libc { FACTS_LIBC_UNKNOWN, FACTS_GLIBC, FACTS_MUSL };
enum facts_way {
	FACTS_IN_LIBC,          /* libc's own malloc, in a libc.so */
	FACTS_LINKED,           /* in the executable: linked into it, libc's own in a static one */
	FACTS_LIBRARY,          /* in a library that the program is linked to, or that it has opened */
	FACTS_PRELOADED,        /* in a library that LD_PRELOAD names */
};

struct facts_variable { char name[48], value[256]; };

/* What it is, and how its settings can reach it. */
struct facts_identity {
	struct facts_group group;       /* known: the target could be looked at at all */
	pid_t pid, inner_pid;           /* inner_pid: as it sees itself; 0: not known */
	char program[64];               /* base name, fit for a terminal */
	enum facts_libc libc;
	char libc_version[16];          /* "2.36", "1.2.3"; "" unknown */
	int is_static;                  /* without dynamic linker: cannot be preloaded */
	int secure;                     /* setuid and the like: the linker ignores LD_PRELOAD and settings */
	int container;                  /* it has another root than we */
	char system[32];                /* ID of its /etc/os-release: "alpine", "debian"; "" unknown */
	unsigned release;               /* of that the major number of VERSION_ID; 0 unknown */
	int rust, cxx, go;              /* evidence that it is written in these: what a recipe has to say differs */
	char runtime[16];               /* of a managed heap: "node", "java", "python", "ruby"; "" none is known */
	struct facts_group env_group;
	struct facts_variable env[32]; size_t nenv;     /* those that mean something to an allocator or the linker, of its own environment as it was at exec */
};

/* How heap.allocator[i] got there. */
struct facts_deployed {
	enum facts_way way;
	char prefix[16];                /* of its exported names: "" for malloc, "je_", "_rjem_", "mi_", "tc_" where they have it */
	char object[256];               /* path of the object it is in, as the process sees it */
};

/* One moment of the watch: counters are since the process began, over all its threads. */
struct facts_moment {
	double at;                      /* seconds since the watch began */
	double rss, swap;
	double live, live_error;        /* bytes; of the ledger where it could be read at this moment, else as the agent estimates it; see live_source */
	double held_free;               /* resident memory that allocators hold free or cached; NAN when the heap was not read at this moment */
	double minor_faults, major_faults;
	double voluntary, involuntary;  /* switches */
	double user_s, system_s;
	double threads;
};
enum { FACTS_MOMENTS = 64 };

/* Where something comes from, in words: "build_row() row.c:41 < serve() serve.c:12". */
struct facts_from { char *stack; double share; /* of 1 */ };

/* One lock of an allocator, with its stacks in words, most expensive first; row->allocator says whose. */
struct facts_lock { const struct lock_row *row; struct facts_from *from; size_t nfrom; };

/* One allocating function and its caller, by the agent (sampled: estimates). */
struct facts_site {
	const char *function, *caller;  /* never NULL */
	const char *stack;              /* the most common one in words; never NULL */
	double samples, live_samples;   /* that the figures rest on */
	double live, live_error;        /* bytes */
	double live_objects;
	double bytes_per_s, objects_per_s;      /* allocated during the watch */
	double size;                    /* mean bytes of an allocation */
	double life_s;                  /* median lifetime of the freed; NAN none was freed */
	double freed_share;             /* of objects allocated since the agent began, freed by now */
	double remote_share;            /* of freed bytes, freed by another thread */
	double rounding;                /* what the allocator's size classes add to live, bytes; NAN: its classes are not known */
	double live_at[FACTS_MOMENTS];  /* bytes at the moments of the series, NAN where the agent was not read */
};

struct facts {
	double watch_s;                 /* as it was */
	unsigned cpus;                  /* that it may run on */
	unsigned cpus_here;             /* of the machine */
	double uptime_s;                /* of the process, at the end */
	unsigned threads;               /* at the end */
	int exited;                     /* it ended during the watch: what is said is of the time until then */
	struct facts_identity id;

	struct facts_moment series[FACTS_MOMENTS]; size_t nseries;
	double shrinks;                 /* share of looks, 1 ms or more apart, that saw less resident memory than the one before; NAN */
	const char *live_source;        /* "ledger", "agent", or NULL: live is not known in the series */

	struct facts_group heap_group;
	struct heap heap;               /* at the end; allocator[0] is the program's, see in_use */
	struct heap before;             /* at the beginning; may have fewer allocators, zeroed if it was not read */
	struct facts_deployed *deployed;        /* one for each of heap.allocator */

	/* the kernel's sums at the end, bytes, NAN unknown */
	double rss, swap, lazy_free, huge, hugetlb;
	double anonymous;               /* of rss: neither file nor shared memory */
	double memory_limit;            /* of its control group; NAN none or not known */
	char thp[16];                   /* "always", "madvise", "never"; "" unknown */
	unsigned numa_nodes;            /* heap.node has the figures; 0, 1: nothing to say */
	unsigned cpu_nodes;             /* nodes on which it may run */
	uint64_t run_nodes;             /* bit n: a thread was seen to have run on node n; 0 not known */
	char numa_policy[24];           /* of the anonymous memory: "default", "interleave"; "" unknown */

	struct facts_group locks_group;
	struct lock_report locks;       /* of the whole watch */
	struct facts_lock *lock; size_t nlocks; /* the allocators', those somebody was seen to use, most lost first */

	struct facts_group faults_group;        /* who touched new memory, by sampled page faults: largest first, in words */
	struct facts_from *fault; size_t nfaults;

	struct facts_group agent_group;
	int agent_attached;             /* it came into the running process: of what is older it knows nothing */
	double agent_age_s, agent_live, agent_live_error, sample_rate;
	double agent_rounding;          /* of all sites */
	double alloc_bytes_per_s, alloc_objects_per_s;  /* of all sites */
	double agent_losses;            /* samples lost since it began */
	struct facts_site *site; size_t nsites;         /* by live bytes, largest first */
};

/* The allocator of this name that the program uses, at the end; NULL. `name` may be a beginning: "musl". */
const struct heap_allocator *facts_allocator(const struct facts *f, const char *name);
/* The same one at the beginning; NULL when it was not there or not read. */
const struct heap_allocator *facts_before(const struct facts *f, const struct heap_allocator *a);
const struct facts_deployed *facts_deployed(const struct facts *f, const struct heap_allocator *a);
/* One of its own figures (heap_fact), NAN when there is none. */
double facts_fact(const struct heap_allocator *a, const char *name);
/* Resident memory at the end, by the ledger where there is one: it counts pages, while the kernel's sums lag behind; NAN. */
double facts_rss(const struct facts *f);
/* Per second over the watch, of a fact that counts; NAN. */
double facts_fact_per_s(const struct facts *f, const struct heap_allocator *a, const char *name);
/* A figure of heap.h, NAN when it is HEAP_UNKNOWN. */
double facts_bytes(uint64_t v);
/* Sum of the ledger's rows of this allocator whose part begins so: ("glibc", "free"), ("glibc", "") for all; NULL: rows of no allocator,
   ("thread stacks"). NAN without a ledger. */
double facts_ledger(const struct facts *f, const char *allocator, const char *part);
/* The same, but what was there at the beginning as well as at the end: the smaller of the two; that of the end when the heap was not read before. */
double facts_steady(const struct facts *f, const char *allocator, const char *part);
/* A variable of the target's environment, NULL when it is not set (or env_group is not known). */
const char *facts_env(const struct facts *f, const char *name);
/* Is `version` ("2.36", "5.2.1", "2.35..2.42": its lower end) at least major.minor? 1, 0, -1 not known. */
int facts_version(const char *version, unsigned major, unsigned minor);
/* Processors that it kept busy; NAN. */
double facts_cpu(const struct facts *f);
/* Over the series, first known to last known, per second; NAN when fewer than two moments know it. `figure`: offsetof(struct facts_moment, …). */
double facts_rate(const struct facts *f, size_t figure);

void facts_free(struct facts *f);

#endif
