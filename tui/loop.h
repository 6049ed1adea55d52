/* loop.h: the whole of the interactive command, for cmd/. */
#ifndef ALLOCTOP_LOOP_H
#define ALLOCTOP_LOOP_H

#include <stdio.h>
#include <sys/types.h>

struct err;

struct loop_options {
	double delay_s;
	const char *panel;      /* the one to begin with, NULL: the first, or the first that has something without an agent */
	unsigned count;         /* plain text: how many screens; 0: for ever */
	unsigned rows, columns; /* plain text: 0 rows: as many as it takes */
	int ascii;
	const char *image, *no_image;   /* the attachable agent's file, or why there is none */
	const char *keys;       /* plain text: pressed before the screen is printed (keys.h); NULL */
};

/* On the terminal, until its user leaves. pid 0: the list of processes. */
int loop_run(pid_t pid, const struct loop_options *o, struct err *e);
int loop_replay(const char *path, const struct loop_options *o, struct err *e);
/* The same as text, one screen after the other. A recording: its last moment, once. */
int loop_print(pid_t pid, const struct loop_options *o, FILE *out, struct err *e);
int loop_print_recording(const char *path, const struct loop_options *o, FILE *out, struct err *e);

/* Names of the panels, for options; NULL past the last. */
const char *loop_panel_name(size_t i);

#endif
