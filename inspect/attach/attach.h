/* attach.h: the agent in a process that nobody prepared, and out again, without a function of the process being called, a lock of it
 * taken, or a thread started. First a plan, which only looks; then it is carried out, whole or not at all.
 *
 * What is stored into the process's own memory are writes: GOT entries, and jumps at functions' entries. All else is memory of ours, mapped by
 * system calls that a thread of the process makes for us (remote.h). The undo log lies there, so that any alloctop can undo it.
 *
 * These functions stop threads by ptrace in a thread of their own: call them from any. When this process is killed meanwhile, the other one
 * runs on: not hooked, or hooked, or with hooks that only pass on; attach_undo clears the rest away. */
#ifndef ALLOCTOP_ATTACHING_H
#define ALLOCTOP_ATTACHING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "agent/attach.h"
#include "inspect/attach/got.h"
#include "inspect/attach/inside.h"
#include "inspect/attach/jumps.h"
#include "inspect/attach/link.h"
#include "inspect/attach/loaded.h"
#include "inspect/client/home.h"
#include "inspect/target/target.h"

struct err;

enum { ATTACH_WRITE_MAX = 16, ATTACH_WORDS = 400, ATTACH_ROOMS = 256, ATTACH_NOTES = 16 };

/* Bytes that change. Also as it stands in the undo log. For a GOT entry `new` is filled in when the image's address is known. */
struct attach_write {
	uint64_t addr;
	uint32_t size;
	uint16_t entry;                 /* of the image */
	uint16_t kind;                  /* enum got_kind, or ATTACH_JUMP */
	uint8_t old[ATTACH_WRITE_MAX], new[ATTACH_WRITE_MAX];
};
enum { ATTACH_JUMP = 16 };              /* at a function's entry: no thread may stand in the bytes, or come back into them */

enum attach_verdict { ATTACH_SAFE, ATTACH_UNSAFE, ATTACH_REFUSED };

struct attach_options {
	const char *image;              /* the attachable image's file */
	uint64_t rate;
	unsigned depth;
};

struct attach_plan {
	pid_t pid;
	struct attach_options options;
	struct target target;
	struct loadeds loaded;
	struct link link;
	struct got got;
	struct jumps jumps;
	const char *name[ATTACH_ENTRIES_MAX];   /* of the entries that can get a jump; else "" */
	struct attach_write *write; size_t nwrites;     /* ascending */
	size_t writes_lazy, writes_address;     /* of them: not bound yet; ones that let the program see where they lead */
	uint64_t room[ATTACH_ROOMS]; size_t rooms;
	int littered;                   /* an alloctop that was killed has left something: litter.h */
	uint64_t home_addr;             /* 0: none yet */
	struct home home;
	int seccomp;                    /* 0: none; 2: a filter, which lets our calls pass */
	char spaces[32];                /* namespaces that are others than ours: "user pid mnt" */
	uint64_t added, reserved;       /* bytes of memory, resident at once; address space of which only what is used becomes resident */
	uint64_t locked, small;         /* bytes of its memory that are locked (0: none); then also: what is resident should it lock all it maps */
	double pause_s;                 /* expected */

	enum attach_verdict verdict;
	char why[ATTACH_WORDS];         /* unless safe */
	int refusal;                    /* enum err_kind of a refusal */
	char note[ATTACH_NOTES][ATTACH_WORDS]; size_t nnotes;   /* what will not be covered, one line each */
};

/* Looks, and stops nothing but, when it has a seccomp filter, one thread for a moment. A refusal is a plan too; -1 with *e when there can be
   none: GONE, DENIED, UNSUPPORTED, or no image. Free with attach_plan_free in any case. */
int attach_plan(struct attach_plan *p, pid_t pid, const struct attach_options *o, struct err *e);
void attach_plan_free(struct attach_plan *p);

/* Looks whether objects were loaded since, and hooks them too; tells the agent what is loaded now. Cheap when *seen says that nothing has
   changed (0 at first). How many words were stored in *stored. UNSUPPORTED when it is not attached. */
int attach_follow(pid_t pid, const struct attach_options *o, uint64_t *seen, size_t *stored, struct err *e);

/* What an entry is called. */
const char *attach_entry_name(const struct attach_plan *p, unsigned entry);

struct attach_result { double pause_s /* the longest, of several attempts */; size_t threads, writes; };
/* Carries a plan out (which is made anew when the process has changed meanwhile). -1 with *e: everything is as it was. */
int attach_apply(struct attach_plan *p, struct attach_result *r, struct err *e);

struct attach_undone {
	double pause_s;                 /* as above */
	size_t threads, writes;         /* put back */
	size_t changed;                 /* somebody else has stored something there since: left as it is */
	int image_left;                 /* a thread may still return through the image: undo again later */
	pid_t inside;                   /* that thread */
	int landing_left;               /* two pages stay: the program may have copied the address of a function of ours */
};
/* Puts everything back. UNSUPPORTED when nothing is attached there. */
int attach_undo(pid_t pid, struct attach_undone *u, struct err *e);

/* ---- between apply.c and follow.c ---- */

/* Where a GOT entry will lead: to the hook, or 1: to the landing. */
int attach_aim(struct attach_write *w, const struct attach_block *b, uint64_t home);

#endif
