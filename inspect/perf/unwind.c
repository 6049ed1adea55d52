/* unwind.c: see unwind.h. libdw is given the files that inspect/symbol finds and vets, never a name to look for itself, and its guess
 * at frame pointers, where there are no rules, is never asked for. */
#include "inspect/perf/unwind.h"

#include <dwarf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <elfutils/libdwfl.h>

#include "inspect/perf/scan.h"
#include "inspect/symbol/files.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { SCANS_MAX = 12 };

struct unwinder {
	pthread_mutex_t mutex;
	const struct target *t;
	struct module_files files;
	Dwfl *dwfl;
	struct scan *scan;
	/* of the stack that is being unwound */
	const struct unwind_sample *s;
	uint64_t reg[UNWIND_REGS];
	unsigned unknown;               /* of reg */
	uint64_t *pc;
	unsigned n, max, scanned;
	int whole;                      /* ended as the rules say that it does */
	int stuck;                      /* ended where there are no rules: reg says where */
	int short_of, wants;            /* asked for memory that was not copied; for a register that is not known */
};

/* ---- the process as libdw sees it ---- */

static int read_word(const struct unwinder *u, uint64_t addr, uint64_t *v)
{
	uint64_t sp = u->s->reg[UNWIND_SP], off = addr - sp;

	if (addr < sp || off > u->s->n || u->s->n - off < sizeof *v) return 0;
	memcpy(v, u->s->stack + off, sizeof *v);
	return 1;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *result, void *arg)
{
	struct unwinder *u = arg;
	uint64_t v;

	(void)dwfl;
	if (!read_word(u, addr, &v)) {
		u->short_of = 1;
		return false;
	}
	*result = v;
	return true;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	(void)dwfl, (void)tid;
	*thread_arg = arg;
	return true;
}

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	(void)dwfl;
	if (*thread_arg) return 0;
	*thread_arg = arg;
	return 1;
}

static bool set_registers(Dwfl_Thread *thread, void *thread_arg)
{
	const struct unwinder *u = thread_arg;

	for (unsigned i = 0; i < UNWIND_REGS; i++) {
		Dwarf_Word reg = u->reg[i];
		if (!(u->unknown >> i & 1) && !dwfl_thread_state_registers(thread, (int)i, 1, &reg)) return false;
	}
	return true;
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.get_thread = get_thread,
	.memory_read = memory_read,
	.set_initial_registers = set_registers,
};

static int no_elf(Dwfl_Module *mod, void **user, const char *name, Dwarf_Addr base, char **path, Elf **elf)
{
	(void)mod, (void)user, (void)name, (void)base, (void)path, (void)elf;
	return -1;
}

static int give_debug(Dwfl_Module *mod, void **user, const char *name, Dwarf_Addr base, const char *file, const char *link, GElf_Word crc, char **path)
{
	const struct module_file *f = *user;

	(void)mod, (void)name, (void)base, (void)file, (void)link, (void)crc, (void)path;
	return f && f->debug >= 0 ? fcntl(f->debug, F_DUPFD_CLOEXEC, 0) : -1;
}

static const Dwfl_Callbacks callbacks = { .find_elf = no_elf, .find_debuginfo = give_debug };

static void report_modules(struct unwinder *u)
{
	dwfl_report_begin(u->dwfl);
	for (size_t i = 0; i < u->files.n; i++) {
		struct module_file *f = &u->files.file[i];
		void **user;
		int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
		Dwfl_Module *mod = fd < 0 ? NULL : dwfl_report_elf(u->dwfl, f->path, f->path, fd, f->bias, true);
		if (!mod && fd >= 0) close(fd);
		if (mod && dwfl_module_info(mod, &user, NULL, NULL, NULL, NULL, NULL, NULL)) *user = f;
	}
	dwfl_report_end(u->dwfl, NULL, NULL);
}

struct unwinder *unwind_open(const struct target *t)
{
	struct unwinder *u = xcalloc(1, sizeof *u);

	pthread_mutex_init(&u->mutex, NULL);
	u->t = t;
	files_open(&u->files, t->pid, &t->maps, t->mem);
	u->scan = scan_open(t);
	if ((u->dwfl = dwfl_begin(&callbacks))) {
		report_modules(u);
		if (!dwfl_attach_state(u->dwfl, NULL, t->pid, &thread_callbacks, u)) {
			dwfl_end(u->dwfl);
			u->dwfl = NULL;
		}
	}
	return u;
}

void unwind_close(struct unwinder *u)
{
	if (!u) return;
	if (u->dwfl) dwfl_end(u->dwfl);
	files_close(&u->files);
	scan_close(u->scan);
	pthread_mutex_destroy(&u->mutex);
	free(u);
}

/* ---- one stack ---- */

enum rules { RULES_NONE, RULES_OUTERMOST /* nobody called this */, RULES_SOME };

/* NULL: none. The caller frees it. */
static Dwarf_Frame *find_rules(const struct unwinder *u, uint64_t pc)
{
	Dwfl_Module *mod = u->dwfl ? dwfl_addrmodule(u->dwfl, pc) : NULL;
	Dwarf_Addr bias = 0;
	Dwarf_Frame *frame;
	Dwarf_CFI *cfi;

	if (!mod) return NULL;
	if ((cfi = dwfl_module_eh_cfi(mod, &bias)) && !dwarf_cfi_addrframe(cfi, pc - bias, &frame)) return frame;
	if ((cfi = dwfl_module_dwarf_cfi(mod, &bias)) && !dwarf_cfi_addrframe(cfi, pc - bias, &frame)) return frame;
	return NULL;
}

static enum rules rules_at(const struct unwinder *u, uint64_t pc)
{
	enum rules found = RULES_SOME;
	Dwarf_Frame *frame = find_rules(u, pc);
	Dwarf_Op mem[3], *ops;
	size_t n;

	if (!frame) return RULES_NONE;
	if (!dwarf_frame_register(frame, UNWIND_PC, mem, &ops, &n) && !n && ops == mem) found = RULES_OUTERMOST;
	free(frame);
	return found;
}

/* Of what the frame at pc was called with, what it saved: where the frame ends, which its rules could not tell, has been found otherwise. */
static void take_saved(struct unwinder *u, uint64_t pc, uint64_t end)
{
	Dwarf_Frame *frame = find_rules(u, pc);
	Dwarf_Op mem[3], *ops;
	size_t n;

	for (int i = 0; frame && i < UNWIND_REGS; i++) {
		if (!(UNWIND_REST >> i & 1) || dwarf_frame_register(frame, i, mem, &ops, &n)) continue;
		if (n == 2 && ops[0].atom == DW_OP_call_frame_cfa && ops[1].atom == DW_OP_plus_uconst && read_word(u, end + ops[1].number, &u->reg[i]))
			u->unknown &= ~(1u << i);
	}
	free(frame);
}

static void push(struct unwinder *u, uint64_t pc)
{
	if (u->n < u->max) u->pc[u->n++] = pc;
}

/* libdw's frames of one run, until one has no rules. The first frame of a later run has been pushed already. */
static int frame(Dwfl_Frame *f, void *arg)
{
	struct unwinder *u = arg;
	Dwarf_Addr pc;
	Dwarf_Word sp;
	bool activation;

	if (!dwfl_frame_pc(f, &pc, &activation) || !pc || u->n >= u->max) return DWARF_CB_ABORT;
	if (u->stuck) u->stuck = 0;     /* the first: pushed by who found it */
	else push(u, pc);
	if (!activation) pc--;
	u->reg[UNWIND_PC] = pc;
	u->reg[UNWIND_SP] = dwfl_frame_reg(f, UNWIND_SP, &sp) ? 0 : sp;
	if (rules_at(u, pc) != RULES_NONE) return DWARF_CB_OK;
	u->stuck = 1;
	return DWARF_CB_ABORT;
}

/* By rules, from the frame in reg to the last that they lead to, which reg is then. libdw ends in the same way at a thread's beginning and where a
   rule could not be worked out. */
static void walk(struct unwinder *u)
{
	u->stuck = 1;                   /* the innermost frame is there already */
	u->short_of = 0;
	if (rules_at(u, u->reg[UNWIND_PC]) == RULES_NONE || dwfl_getthread_frames(u->dwfl, u->t->pid, frame, u) || u->stuck || u->short_of) return;
	u->whole = !u->unknown || rules_at(u, u->reg[UNWIND_PC]) == RULES_OUTERMOST;
}

/* Did the rules of the frame in reg need a register that is not known? */
static int is_wanting(const struct unwinder *u) { return u->unknown && !u->whole && !u->stuck && !u->short_of && u->n < u->max; }

/* From the frame in reg, whose rules are missing or of no use, to the nearest that has some. 1: reg is that frame. */
static int scan(struct unwinder *u)
{
	uint64_t base = u->s->reg[UNWIND_SP], pc = u->reg[UNWIND_PC], from = (u->reg[UNWIND_SP] - base + 7) & ~(uint64_t)7;

	if (u->reg[UNWIND_SP] < base) return 0;
	for (unsigned i = 0; i < SCANS_MAX && from < u->s->n; i++) {
		uint64_t ret, jump[SCAN_JUMPS];
		size_t slot = scan_caller(u->scan, pc, u->s->stack, (size_t)from, u->s->n, &ret, jump);
		if (slot == SIZE_MAX) return 0;
		for (unsigned j = 0; j < SCAN_JUMPS && jump[j]; j++) push(u, jump[j]);
		push(u, ret);
		u->scanned = u->n;
		u->unknown = UNWIND_REST;
		from = slot + sizeof ret;
		take_saved(u, pc, base + from);
		pc = ret - 1;
		if (rules_at(u, pc) == RULES_NONE) continue;
		u->reg[UNWIND_PC] = pc;
		u->reg[UNWIND_SP] = base + from;
		return 1;
	}
	return 0;
}

struct unwound unwind_stack(struct unwinder *u, const struct unwind_sample *s, uint64_t *pc, unsigned max)
{
	pthread_mutex_lock(&u->mutex);
	u->s = s;
	memcpy(u->reg, s->reg, sizeof u->reg);
	u->pc = pc;
	u->unknown = s->unknown;
	u->n = u->scanned = 0;
	u->whole = u->wants = 0;
	u->max = max;
	push(u, s->reg[UNWIND_PC]);
	for (unsigned i = 0; i < SCANS_MAX && u->n < max; i++) {
		walk(u);
		int wanting = is_wanting(u);
		if (wanting && !u->scanned) u->wants = 1;
		if (!u->stuck && !wanting) break;
		if (scan(u)) continue;
		/* who called it cannot be proven: the registers of the innermost frame, which code without rules mostly left alone */
		if (!wanting || u->unknown == s->unknown) break;
		for (unsigned r = 0; r < UNWIND_REGS; r++)
			if (UNWIND_REST >> r & 1) u->reg[r] = s->reg[r];
		u->unknown = s->unknown;
	}
	struct unwound result = { u->n, u->scanned, u->whole, u->wants };
	pthread_mutex_unlock(&u->mutex);
	return result;
}
