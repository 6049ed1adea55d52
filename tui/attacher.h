/* attacher.h: the agent put into a process, and taken out again, from the screen: first a look at what that would mean, then, if the user says so, the
 * deed. In threads of its own, as both may take a moment. All calls from the drawing thread. */
#ifndef ALLOCTOP_ATTACHER_H
#define ALLOCTOP_ATTACHER_H

#include <stddef.h>
#include <sys/types.h>

struct attacher;

/* The attachable agent's file; NULL: there is none, `why` says it. */
struct attacher *attacher_new(const char *image, const char *why);
/* Waits for what is under way. What is attached stays so. */
void attacher_free(struct attacher *a);
/* Readable when something has come of it. */
int attacher_descriptor(const struct attacher *a);

/* Looks. -1: something is under way. */
int attacher_look(struct attacher *a, pid_t pid);
/* Does what the question was about, or forgets it. */
void attacher_answer(struct attacher *a, int yes);
/* Whether this one has attached. */
int attacher_attached(const struct attacher *a);
/* From time to time, when we have attached: hooks objects that were loaded since. */
void attacher_follow(struct attacher *a);

enum attacher_news {
	ATTACHER_NOTHING,
	ATTACHER_QUESTION,      /* to be answered: title and text */
	ATTACHER_DONE,          /* attached, or detached; title says so */
	ATTACHER_FAILED,        /* nothing was done; title says why */
};
/* What has come of it, once. The texts stay until the next call of any of these. */
enum attacher_news attacher_news(struct attacher *a, const char **title, const char **text);

#endif
