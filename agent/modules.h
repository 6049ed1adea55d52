/* modules.h: the objects loaded into this process, readable from anywhere.
 *
 * modules_scan is the only function that talks to the loader (scan.h), so it is called where the loader may be called: at the agent's
 * start, and after dlopen or dlclose returned; never from an allocation. Everything else is lock-free, bounded, needs no memory
 * and may run in a signal handler or a forked child. Between a dlclose and the scan after it the table is stale, which is why
 * the unwinder proves each page readable before it reads a module's tables. */
#ifndef AGENT_MODULES_H
#define AGENT_MODULES_H

#include <stdint.h>
#include "wire.h"

enum { MODULES_MAX = 1024 };

struct module {
	uintptr_t start, end;           /* addresses it covers: first to last loadable segment */
	uintptr_t text, text_end;       /* the same of its executable segments */
	uintptr_t text_offset;          /* of `text`, in the file */
	uintptr_t bias;                 /* address = ELF virtual address + bias */
	uintptr_t tls;                  /* bytes of its thread-local storage, with what alignment may cost */
	uintptr_t hdr, hdr_end;         /* .eh_frame_hdr; 0: none */
	uintptr_t frames, frames_end;   /* .eh_frame up to the end of its segment, known only when there is no hdr; else 0 */
	uint32_t row;                   /* private: 1 + its row in the published table; 0: not there */
	uint32_t state;                 /* private */
	uint32_t seen;                  /* private */
	uint8_t text_readable;          /* code bytes may be looked at */
	uint8_t is_main;                /* the program itself */
	uint8_t build_id_size;
	uint8_t build_id[39];
	uint8_t path_truncated;
	char path[WIRE_PATH + 4];
};

/* Learns what is loaded now. Any thread, any time outside of the loader's own callbacks; when two meet, one does the work of both. */
void modules_scan(void);

/* The module that covers an address, NULL when none is known. The record stays valid for as long as its code may run. */
const struct module *modules_find(uintptr_t pc);

/* Thread-local storage of all objects: on musl it lies between a thread's stack and its control block. */
uintptr_t modules_tls(void);

/* Changes whenever an object came or went: what was learnt about an address under another generation is void. */
uint32_t modules_generation(void);

/* From now on every scan keeps this table of the segment up to date: adds rows, sets `unloaded`, and counts in *lost what found no
   room there or here. Writes what is known already at once. NULL: no longer. */
void modules_publish(struct wire_module *table, struct wire_section *section, uint64_t *lost);

/* In a forked child, before anything else here: frees the lock and forgets the parent's table. */
void modules_forked(void);

/* ---- between modules.c and scan.c, during modules_scan ---- */

/* Was the object there before, just the same? Notes that it still is. */
int modules_known(const struct module *fresh);
/* Takes in a copy of one that was not. */
void modules_add(const struct module *fresh);

#endif
