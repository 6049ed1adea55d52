/* symbol.h: from a code address in a target to module, function, file:line and inlined frames.
 *
 * A symbolizer is built from the modules that a recording names, and, when the process lives, from its maps. Files are opened
 * through /proc/PID/root (or a sysroot), deleted ones through /proc/PID/map_files or memory; a file is used only when its build
 * ID is the recorded one. Debug information: in the file, by .gnu_debuglink, by /usr/lib/debug/.build-id, by debuginfod when
 * DEBUGINFOD_URLS is set. JIT code: /tmp/perf-PID.map. Names are demangled (C++, Rust).
 * Lookups are cached; not thread-safe: one symbolizer per thread. */
#ifndef ALLOCTOP_SYMBOL_H
#define ALLOCTOP_SYMBOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct symbolizer;

struct symbol_module {
	uint64_t start, end;            /* addresses in the target */
	uint64_t bias;                  /* address - ELF virtual address */
	uint64_t file_offset;           /* of `start` in the file */
	uint64_t text, text_end, text_offset;   /* of it the executable part and where that begins in the file; 0: not known */
	const char *path;               /* never NULL; "[vdso]", "[jit]", or a file */
	uint8_t build_id[40];
	unsigned build_id_size;
	int is_main;                    /* the program itself */
};

/* One function at one address; for inlined code several, innermost first. */
struct symbol_frame {
	const char *function;           /* demangled, without its argument list's noise as c++filt -p would; "" if unknown */
	const char *linkage;            /* as in the file; == function when not mangled */
	const char *file;               /* "" if unknown */
	unsigned line;                  /* 0 if unknown */
	unsigned start_line;            /* of the function, 0 if unknown */
	uint8_t inlined;                /* this frame is inlined into the next one */
};

struct symbol_options {
	pid_t pid;                      /* 0: no live process */
	const char *sysroot;            /* NULL: /proc/PID/root, or / */
	uint8_t no_inlines;
};

/* `modules` is copied. Never fails for a missing file: its addresses stay module+offset. NULL only without memory. */
struct symbolizer *symbol_open(const struct symbol_module *modules, size_t n, const struct symbol_options *o, struct err *e);
void symbol_close(struct symbolizer *s);

/* The module of an address, NULL if none is known. Owned by the symbolizer. */
const struct symbol_module *symbol_module_of(struct symbolizer *s, uint64_t addr);

/* Frames of an address that lies *in* the instruction (for a return address pass it minus one). Returns how many (at most max,
   outermost cut first), 0 when nothing is known. Strings are owned by the symbolizer. */
size_t symbol_lookup(struct symbolizer *s, uint64_t addr, struct symbol_frame *frames, size_t max);

/* Calls back for each module, and with the functions that its symbols name if `module` says yes: at their addresses in the target, with
   their linkage names (a version behind "@" may follow), of which one place may have several. Opens the files: dear. */
struct symbol_walk {
	int (*module)(void *arg, const struct symbol_module *m);
	void (*function)(void *arg, const char *linkage, uint64_t start, uint64_t end);
	void *arg;
};
void symbol_each(struct symbolizer *s, const struct symbol_walk *walk);

#endif
