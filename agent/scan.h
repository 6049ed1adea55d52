/* scan.h: where modules.c learns from what is loaded. scan.c asks the loader; scan_attach.c reads what was written down from outside. */
#ifndef AGENT_SCAN_H
#define AGENT_SCAN_H

#include <stdint.h>

/* How often objects came and went; nothing known of it is 0. */
struct scan_mark { uint64_t count[2]; };
/* Has any come or gone since the scan that was done last? *now: to be told to scan_done. */
int scan_due(struct scan_mark *now);
/* Tells modules.c of each loaded object, by modules_known and modules_add. Returns the bytes of their thread-local storage. */
uintptr_t scan_objects(void);
void scan_done(const struct scan_mark *now);
/* From inside of an allocation: is there news that can be had without the loader? */
int scan_news(void);
/* The agent's own code, whose frames are left out of stacks; of size 0 before the first scan. */
struct scan_range { uintptr_t start, size; };
struct scan_range scan_own(void);

#endif
