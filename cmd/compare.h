/* compare.h: what the files of alloctop compare share: a comparison is some variants of one command, each of which was run so many times,
 * and each run is a row of figures. */
#ifndef ALLOCTOP_COMPARE_H
#define ALLOCTOP_COMPARE_H

#include <stddef.h>
#include <stdio.h>

struct err;

enum compare_figure {
	COMPARE_ELAPSED, COMPARE_USER, COMPARE_SYSTEM, COMPARE_VOLUNTARY, COMPARE_INVOLUNTARY, COMPARE_PEAK, COMPARE_FINAL, COMPARE_MINOR,
	COMPARE_MAJOR, COMPARE_FIGURES,
};

enum compare_unit { COMPARE_SECONDS, COMPARE_BYTES, COMPARE_COUNT };

struct compare_title { const char *key, *title; enum compare_unit unit; };
extern const struct compare_title compare_titles[COMPARE_FIGURES];

/* One run. NAN: not known. */
struct compare_run { double figure[COMPARE_FIGURES]; };

/* How sure it is that a variant's allocator served the program. */
enum compare_use {
	COMPARE_UNSEEN,         /* nobody could look */
	COMPARE_UNKNOWN,        /* it is loaded, and of a kind that we cannot tell */
	COMPARE_UNUSED,         /* another one served it */
	COMPARE_USED,
};

struct compare_variant {
	char *name;             /* "as it is", "jemalloc", "MALLOC_ARENA_MAX=2" */
	char **argv;            /* NULL at the end */
	char *library;          /* is preloaded; NULL: nothing is */
	char **set;             /* NAME=VALUE, NULL at the end */
	int by_default;         /* not asked for by name: left out without regret */
	int any;                /* its library may be no allocator at all: --preload */
	char *skipped;          /* why it is not measured; NULL: it is */
	enum compare_use use;
	char allocator[96];     /* what served the program: "jemalloc 5.3.0"; "" if not known */
	char owner[64];         /* the object it lives in */
	char note[200];         /* what else is to be said of it; "" */
	struct compare_run *run;
	unsigned nruns;
};

struct comparison {
	struct compare_variant *variant;        /* the first is what the others are compared with */
	size_t n;
	unsigned rounds, warmup;                /* asked for */
	int interrupted, service;
};

/* What else is to be said of a variant, once. */
void compare_note(struct compare_variant *v, const char *text);

/* Below this a difference is called one. */
#define COMPARE_ALPHA 0.05

/* The values of one figure, nruns of them; free() it. */
double *compare_column(const struct compare_variant *v, enum compare_figure f);
/* Against the first variant: how many times as much, and the p of the difference. NAN: cannot be told. */
double compare_ratio(const struct comparison *c, const struct compare_variant *v, enum compare_figure f);
double compare_p(const struct comparison *c, const struct compare_variant *v, enum compare_figure f);

/* How it is written: one file each. */
struct compare_format { const char *name; int (*write)(const struct comparison *c, FILE *out, struct err *e); };
extern const struct compare_format compare_text, compare_markdown, compare_json, compare_csv;

#endif
