/* heap.h: how a struct heap is shown. For cmd/heap*.c. */
#ifndef ALLOCTOP_CMD_HEAP_H
#define ALLOCTOP_CMD_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct heap;
struct target;

/* One reading and the one before it, for a series. */
struct heap_reading {
	const struct target *target;
	const struct heap *heap, *before;       /* before: NULL at the first */
	double at, interval_s;          /* seconds since the epoch; since the one before */
	const char *program;            /* fit for a terminal */
	int core;
};

struct heap_look {
	const char *by;                 /* "class", "arena", "map", "thread", or NULL: the overview */
	int exact;                      /* bytes in full */
	int colour;
	unsigned width;                 /* columns of a line */
	unsigned rows;                  /* of a table; 0: all */
};

void heap_text(const struct heap_reading *r, const struct heap_look *look);
/* The tables of --by. */
void heap_text_by(const struct heap_reading *r, const struct heap_look *look);
/* One line of a series; with its heading at the first. */
void heap_text_series(const struct heap_reading *r, const struct heap_look *look);
/* For one line of text: a figure as the look says; "-" for HEAP_UNKNOWN. */
char *heap_figure(const struct heap_look *look, uint64_t v, char buf[32]);
char *heap_count(const struct heap_look *look, uint64_t v, char buf[32]);
/* A bar of `width` columns filled to `part` of 1. */
char *heap_bar(double part, unsigned width, char *buf, size_t n);
void heap_line(const struct heap_look *look, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void heap_title(const struct heap_look *look, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* compact: on one line, for a series. */
int heap_json(const struct heap_reading *r, int compact, struct err *e);

#endif
