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
	uint64_t *pc;
	unsigned n, max, scanned;
	int whole;                      /* ended as the rules say that it does */
	int stuck;                      /* ended where there are no rules: reg says where */
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
	uint64_t v;

	(void)dwfl;
	if (!read_word(arg, addr, &v)) return false;
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
	struct unwinder *u = thread_arg;
	Dwarf_Word reg[UNWIND_REGS];

	for (unsigned i = 0; i < UNWIND_REGS; i++) reg[i] = u->reg[i];
	return dwfl_thread_state_registers(thread, 0, UNWIND_REGS, reg);
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

static int in_table(Dwarf_CFI *cfi, uint64_t pc, uint64_t bias)
{
	Dwarf_Frame *frame;

	if (!cfi || dwarf_cfi_addrframe(cfi, pc - bias, &frame)) return 0;
	free(frame);
	return 1;
}

static int has_rules(const struct unwinder *u, uint64_t pc)
{
	Dwfl_Module *mod = u->dwfl ? dwfl_addrmodule(u->dwfl, pc) : NULL;
	Dwarf_Addr bias = 0;

	if (!mod) return 0;
	Dwarf_CFI *eh = dwfl_module_eh_cfi(mod, &bias);
	if (in_table(eh, pc, bias)) return 1;
	return in_table(dwfl_module_dwarf_cfi(mod, &bias), pc, bias);
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
	if (has_rules(u, pc)) return DWARF_CB_OK;
	u->stuck = 1;
	u->reg[UNWIND_PC] = pc;
	u->reg[UNWIND_SP] = dwfl_frame_reg(f, UNWIND_SP, &sp) ? 0 : sp;
	return DWARF_CB_ABORT;
}

/* From the frame in reg, which has no rules, to the nearest that has. 1: reg is that frame. */
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
		from = slot + sizeof ret;
		pc = ret - 1;
		if (!has_rules(u, pc)) continue;
		u->reg[UNWIND_PC] = pc;
		u->reg[UNWIND_SP] = base + from;
		return 1;
	}
	return 0;
}

unsigned unwind_stack(struct unwinder *u, const struct unwind_sample *s, uint64_t *pc, unsigned max, unsigned *scanned)
{
	pthread_mutex_lock(&u->mutex);
	u->s = s;
	memcpy(u->reg, s->reg, sizeof u->reg);
	u->pc = pc;
	u->n = u->scanned = 0;
	u->whole = 0;
	u->max = max;
	push(u, s->reg[UNWIND_PC]);
	for (unsigned i = 0; i < SCANS_MAX && u->n < max; i++) {
		u->stuck = 1;           /* the innermost frame is there already */
		if (has_rules(u, u->reg[UNWIND_PC])) u->whole = !dwfl_getthread_frames(u->dwfl, u->t->pid, frame, u) && !u->stuck;
		if (!u->stuck || !scan(u)) break;
	}
	*scanned = u->scanned;
	unsigned n = u->n;
	pthread_mutex_unlock(&u->mutex);
	return n;
}

int unwind_whole(const struct unwinder *u) { return u->whole; }
