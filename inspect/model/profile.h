/* profile.h: a profile in memory, in pprof's own terms: sample types, samples over stacks of locations, locations in mappings,
 * lines in functions. Every output format is written from it, pprof files are read into it, and two of them can be subtracted.
 * Plain data with interned parts; no I/O. Index 0 of mapping, function and string is "none" / "". */
#ifndef ALLOCTOP_PROFILE_H
#define ALLOCTOP_PROFILE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct snapshot;
struct symbolizer;

enum { PROFILE_TYPES_MAX = 6 };

struct profile_type { const char *name, *unit; };               /* "inuse_space", "bytes" */

struct profile_mapping { uint64_t start, end, offset; const char *path, *build_id; /* hex */ int has_functions, has_lines, has_inlines; };
struct profile_function { const char *name, *linkage, *file; unsigned start_line; };
struct profile_line { uint32_t function; unsigned line; };
struct profile_location {
	uint64_t addr;                  /* in the instruction: return address minus one */
	uint32_t mapping;
	uint32_t nlines;                /* innermost inlined first; 0: not symbolised */
	struct profile_line *line;
};
struct profile_label { const char *key, *str, *unit; int64_t num; };    /* str NULL: numeric */
struct profile_sample {
	uint32_t nlocs, nlabels;
	uint32_t *loc;                  /* leaf first */
	struct profile_label *label;
	double value[PROFILE_TYPES_MAX];
	double variance[PROFILE_TYPES_MAX];     /* 0 where exact or unknown */
};

struct profile {
	struct profile_type type[PROFILE_TYPES_MAX]; unsigned ntypes, default_type;
	struct profile_type period_type; int64_t period;
	uint64_t time_ns; int64_t duration_ns;
	const char *program;            /* base name, for file names and titles */
	int pid, inner_pid;             /* see proc.h; 0: not known */
	const char **comment; size_t ncomments;
	struct profile_mapping *mapping; size_t nmappings;
	struct profile_function *function; size_t nfunctions;
	struct profile_location *location; size_t nlocations;   /* index 0 is unused */
	struct profile_sample *sample; size_t nsamples;
	struct profile_store *store;    /* private to profile.c: strings and intern tables */
};

struct profile *profile_new(void);
void profile_free(struct profile *p);

/* Interned: equal arguments give the equal result. Strings are copied. Out of memory ends the command (see xalloc.h). */
const char *profile_string(struct profile *p, const char *s);
uint32_t profile_mapping(struct profile *p, uint64_t start, uint64_t end, uint64_t offset, const char *path, const char *build_id);
uint32_t profile_function(struct profile *p, const char *name, const char *linkage, const char *file, unsigned start_line);
uint32_t profile_location(struct profile *p, uint64_t addr, uint32_t mapping);
/* A location of its own, equal to no other: for what has no address ("[truncated]"), and for files that number theirs. */
uint32_t profile_location_new(struct profile *p, uint64_t addr, uint32_t mapping);
/* Lines of a location, innermost first; copied. */
void profile_lines(struct profile *p, uint32_t location, const struct profile_line *line, uint32_t n);
/* Adds to the sample with the same stack and labels, or makes it. Returns it; valid until the next call. */
struct profile_sample *profile_add(struct profile *p, const uint32_t *loc, uint32_t nlocs,
                                   const struct profile_label *label, uint32_t nlabels, const double *value, const double *variance);

/* One line of words that goes with the profile into every format that has room for it. */
void profile_comment(struct profile *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

enum profile_kind { PROFILE_HEAP, PROFILE_ALLOCS };             /* default type inuse_space, or alloc_space */
enum profile_label_flag { PROFILE_LABEL_THREAD = 1, PROFILE_LABEL_SIZE = 2 };

/* The profile of a snapshot: alloc_objects, alloc_space, inuse_objects, inuse_space; period space/bytes = rate. Frees nothing.
   Labels: one sample per stack and label instead of per stack; cumulative values then stand in samples without label. */
struct profile *profile_of_snapshot(const struct snapshot *s, enum profile_kind kind, unsigned labels, const char *program);
/* Fills the lines of all locations that have none. */
void profile_symbolise(struct profile *p, struct symbolizer *s);

/* a - b, as a new profile with a's head. Stacks are matched by what they name (functions and lines where symbolised, else build
   ID and offset), not by address, so the two may come from different runs. What is equal in both is left out. Variances are added,
   which overstates the error of what both have seen. -1 when the types differ. */
int profile_subtract(const struct profile *a, const struct profile *b, struct profile **out, struct err *e);

/* One function (or unsymbolised address) over all samples. */
struct profile_flat { const char *name, *file; unsigned line; double self, cumulative, self_variance; };
/* Rows by value type `type`, largest self first (|self| in a difference). *n rows, free() the array. A function is counted once
   per sample however often it recurs in it. Names of unsymbolised locations: "module+0x…" as profile_name gives. */
struct profile_flat *profile_flatten(const struct profile *p, unsigned type, size_t *n);
/* Name of line `i` of a location: the function, or "base+0xoffset" for unsymbolised code, or "0xaddr". */
const char *profile_name(const struct profile *p, const struct profile_location *l, uint32_t i, char *buf, size_t n);
/* Sum of one type over all samples, and of its variance. */
double profile_total(const struct profile *p, unsigned type);
double profile_variance(const struct profile *p, unsigned type);
/* The type that a program means by `wanted`: an index, or -1 for the default. Always < ntypes. */
unsigned profile_type_index(const struct profile *p, int wanted);

#endif
