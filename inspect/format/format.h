/* format.h: one output format = one file with one struct format, and a row in formats.c. */
#ifndef ALLOCTOP_FORMAT_H
#define ALLOCTOP_FORMAT_H

#include <stdio.h>

struct err;
struct profile;

struct format_options {
	int type;               /* index of the value type to show where a format shows one; -1: the profile's default */
	unsigned limit;         /* rows of a text table; 0: all */
	unsigned exact_bytes;   /* plain numbers instead of human units */
	const char *title;      /* NULL: made from the profile */
};

struct format {
	const char *name;       /* as given to --format */
	const char *summary;    /* one line for the help */
	const char *suffix;     /* of the file name: "pb.gz" */
	int to_terminal;        /* non-zero: goes to stdout by default; 0: to a file */
	/* Errors of `out` itself are the caller's to find (ferror, fclose). */
	int (*write)(const struct format *f, FILE *out, const struct profile *p, const struct format_options *o, struct err *e);
};

/* Ends with a NULL. The first is the default. */
extern const struct format *const formats[];
const struct format *format_find(const char *name);

/* Reads a pprof file (gzip'ed or not) back. 0, or -1 with *e. Hostile input: bounded, checked. */
int pprof_read(const char *path, struct profile **out, struct err *e);

#endif
