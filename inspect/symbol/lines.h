/* lines.h: functions, lines and inlined calls from DWARF. For inspect/symbol only. */
#ifndef ALLOCTOP_LINES_H
#define ALLOCTOP_LINES_H

#include <stddef.h>
#include <stdint.h>
#include <elfutils/libdw.h>

struct lines;
struct names;
struct symbol_frame;

/* The Dwarf stays the caller's. Indexes which unit covers which addresses; the inside of a unit is read when it is asked for. */
struct lines *lines_open(Dwarf *dw);
void lines_close(struct lines *l);
/* Frames of an address of the file, innermost first, at most `max`. `function` and `linkage` as the file has them, NULL where it
   has none, living as long as the Dwarf; `file` kept in names, with the directory of compilation where it was relative, "" if
   unknown. When only the line is known: one frame without names. */
size_t lines_find(struct lines *l, uint64_t vaddr, struct symbol_frame *frames, size_t max, struct names *names);

#endif
