/* home.h: what alloctop leaves in a process that it attached to, so that any alloctop can find it: two pages.
 *
 * The first is this struct, the undo log's address and all that was mapped among it. The second is the landing: a jump for each entry, by way of
 * `target`. Where a program may have copied the address that it calls (a GOT entry that is also read for a function pointer), it is given the
 * landing's, which stays valid when the image is gone. The pages lie together, the first readable, the second executable too.
 *
 * All of it is the target's memory: home_find says what stands there and no more, and whoever acts on it checks it first. */
#ifndef ALLOCTOP_HOME_H
#define ALLOCTOP_HOME_H

#include <stdint.h>

struct maps;
struct mem;

#define HOME_MAGIC "ALLOCTOP-HOME"

enum {
	HOME_VERSION = 1,
	HOME_PAGE = 4096,
	HOME_TARGETS = 192,             /* one for each entry of the image, in its order */
	HOME_LANDING = 8,               /* bytes from one jump to the next */
};

enum home_state {
	HOME_EMPTY,                     /* nothing else is there: pointers to the landing may be left */
	HOME_BEGUN,                     /* attaching has begun: some hooks may be stored, all of them pass on */
	HOME_ATTACHED,
	HOME_LEFT,                      /* detached, but threads may still return through the image */
};

struct home {
	char magic[16];
	uint32_t version, state;
	uint64_t area, area_size;       /* all that was mapped beside these two pages, in one piece; size 0: nothing. It begins with a struct home_area */
	uint64_t image, image_end;      /* the image */
	uint64_t text, text_end;        /* executable part */
	uint64_t data, data_end;        /* writable part: the anchor is in it, and the block at `block` */
	uint64_t block;
	uint64_t log, log_entries, log_max;     /* struct attach_write (inspect/attach) */
	uint64_t code, code_end;        /* executable memory of ours besides (trampolines) */
	uint64_t landed;                /* stores, ever, that let the program see the landing's addresses */
	uint64_t reserved[5];
	uint64_t target[HOME_TARGETS];  /* where each jump of the landing leads */
};

/* It is there still when this stands at its beginning, and nothing else may be unmapped in its place. */
#define HOME_AREA_MAGIC "ALLOCTOP-AREA"
struct home_area { char magic[16]; uint64_t home; };

_Static_assert(sizeof(struct home) <= HOME_PAGE, "home");

/* By the maps alone: may there be one? */
int home_likely(const struct maps *maps);
/* Its address, 0 when there is none. */
uint64_t home_find(const struct maps *maps, struct mem *mem, struct home *out);

#endif
