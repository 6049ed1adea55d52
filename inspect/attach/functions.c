/* functions.c: see functions.h. */
#include "inspect/attach/functions.h"

#include <elf.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/attach.h"
#include "inspect/allocator/musl.h"
#include "inspect/attach/loaded.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { TEXT_MAX = 256 << 20, CALLS_MAX = 256, DEPTH = 2, MUSL_TEXT_MAX = 64 << 20 };

struct names { const char *const *name; size_t n; size_t *sorted; };

static const struct names *sorting;

static int by_name(const void *a, const void *b)
{
	return strcmp(sorting->name[*(const size_t *)a], sorting->name[*(const size_t *)b]);
}

static void names_sort(struct names *names)
{
	names->sorted = xcalloc(names->n, sizeof *names->sorted);
	for (size_t i = 0; i < names->n; i++) names->sorted[i] = i;
	sorting = names;
	qsort(names->sorted, names->n, sizeof *names->sorted, by_name);
}

/* The place of a symbol's name among those asked for, -1 if it is none. A version ("@GLIBC_2.2.5") is no part of it. */
static long names_find(const struct names *names, const char *symbol)
{
	size_t lo = 0, hi = names->n, length = strcspn(symbol, "@");

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const char *name = names->name[names->sorted[mid]];
		int order = strncmp(symbol, name, length);
		if (!order) order = name[length] ? -1 : 0;
		if (!order) return (long)names->sorted[mid];
		if (order < 0) hi = mid;
		else lo = mid + 1;
	}
	return -1;
}

/* ---- by symbols ----------------------------------------------------------------------------------------------------------------------------- */

/* What one object defines, by the place of the name. */
struct defined { struct function *of; size_t n; };

/* A name that no program gives to something else. */
static int is_particular(const char *name)
{
	static const char *const prefixes[] = { "je_", "_rjem_", "mi_", "tc_", "_Zn", "_Zd", "__libc_" };

	for (unsigned i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i]))) return 1;
	return 0;
}

/* Of one source file alone. Others are local too where the linker made them so, which leaves them hidden (lld; Rust's static programs have such a malloc). */
static int is_private(const GElf_Sym *s)
{
	return GELF_ST_BIND(s->st_info) == STB_LOCAL && GELF_ST_VISIBILITY(s->st_other) == STV_DEFAULT;
}

static void take_symbol(struct defined *d, const struct names *names, const struct loaded *o, const GElf_Sym *s, const char *symbol, enum function_way way)
{
	long i = symbol ? names_find(names, symbol) : -1;
	uint64_t at = o->bias + s->st_value;

	if (i < 0 || s->st_shndx == SHN_UNDEF || GELF_ST_TYPE(s->st_info) != STT_FUNC || !loaded_executable(o, at)) return;
	struct function *f = &d->of[i];
	/* hidden functions of an allocator may be private ones too; but a private "strdup" may be anything */
	if (is_private(s) && !is_particular(names->name[i])) return;
	/* the same name twice in one object: private functions; the one that others can call is the one meant */
	if (f->address && (f->way == FUNCTION_EXPORTED || is_private(s))) return;
	*f = (struct function){ .name = names->name[i], .address = at, .size = s->st_size, .object = o, .way = way };
}

static void take_table(struct defined *d, const struct names *names, const struct loaded *o, Elf *elf, Elf_Scn *scn, const GElf_Shdr *h)
{
	Elf_Data *data = elf_getdata(scn, NULL);

	for (size_t i = 0; data && h->sh_entsize && i < h->sh_size / h->sh_entsize && i < INT32_MAX; i++) {
		GElf_Sym s;
		if (!gelf_getsym(data, (int)i, &s)) break;
		take_symbol(d, names, o, &s, elf_strptr(elf, h->sh_link, s.st_name), h->sh_type == SHT_DYNSYM ? FUNCTION_EXPORTED : FUNCTION_SYMBOL);
	}
}

/* 1 when the file has a symbol table of its own. */
static int take_file(struct defined *d, const struct names *names, const struct target *t, const struct loaded *o)
{
	const struct map *m = maps_find(&t->maps, o->start);
	int fd = m ? target_file(t, m) : -1, symbols = 0;

	if (fd < 0) return 0;
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	for (Elf_Scn *scn = NULL; elf && (scn = elf_nextscn(elf, scn));) {
		GElf_Shdr h;
		if (!gelf_getshdr(scn, &h) || (h.sh_type != SHT_DYNSYM && h.sh_type != SHT_SYMTAB)) continue;
		symbols |= h.sh_type == SHT_SYMTAB;
		take_table(d, names, o, elf, scn, &h);
	}
	if (elf) elf_end(elf);
	close(fd);
	return symbols;
}

/* ---- by code ------------------------------------------------------------------------------------------------------------------------------------ */

/* The executable part of an object, from the target's memory. bytes: to be freed. */
static struct code text_of(const struct target *t, const struct loaded *o, size_t max)
{
	uint64_t lo = UINT64_MAX, hi = 0;
	struct code c = { 0 };

	for (unsigned i = 0; i < o->nphdr; i++) {
		const Elf64_Phdr *p = &o->phdr[i];
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X)) continue;
		if (o->bias + p->p_vaddr < lo) lo = o->bias + p->p_vaddr;
		if (o->bias + p->p_vaddr + p->p_memsz > hi) hi = o->bias + p->p_vaddr + p->p_memsz;
	}
	if (lo >= hi || hi - lo > max) return c;
	uint8_t *bytes = xmalloc(hi - lo);
	c = (struct code){ bytes, lo, mem_read_some(t->mem, lo, bytes, hi - lo) };
	return c;
}

static void add(struct defined *d, const struct names *names, const struct loaded *o, const char *name, uint64_t address)
{
	long i = names_find(names, name);

	if (i >= 0 && address) d->of[i] = (struct function){ .name = names->name[i], .address = address, .object = o, .way = FUNCTION_CODE };
}

static void take_musl(struct defined *d, const struct names *names, const struct target *t, const struct loaded *o, uint64_t context, struct functions *f)
{
	struct functions_musl found;
	struct code text = text_of(t, o, MUSL_TEXT_MAX);

	if (text.bytes && !functions_musl(&text, context, sizeof(struct musl_context), &found)) {
		add(d, names, o, "malloc", found.malloc[0]);
		add(d, names, o, "__libc_malloc", found.malloc[1]);
		add(d, names, o, "free", found.free);
		add(d, names, o, "realloc", found.realloc);
		add(d, names, o, "aligned_alloc", found.aligned_alloc);
		if (!found.realloc) snprintf(f->trouble, sizeof f->trouble, "musl's realloc was not found (the program has none, or its code looks different)");
	} else {
		snprintf(f->trouble, sizeof f->trouble, "the program is stripped, and its code does not look like any musl that is known");
	}
	free((void *)text.bytes);
}

/* ---- natures ------------------------------------------------------------------------------------------------------------------------------------- */

static const struct function *function_at(const struct defined *d, uint64_t address)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->of[i].address == address) return &d->of[i];
	return NULL;
}

static int allocates(const char *name)
{
	return !strstr(name, "free") && !strstr(name, "dallocx") && strncmp(name, "_Zd", 3) && !strstr(name, "delete");
}

/* The code of an object, and where the calls in its functions lead, as far as it was asked for: decoding is dear, and an allocator's entries come to the
   same few hundred functions again and again. */
struct called { uint64_t function, *to; size_t n; };
struct decoded { struct code text; struct called *called; size_t n, room; };

static struct called *slot_of(const struct decoded *c, uint64_t function)
{
	size_t i = (size_t)(function * 0x9E3779B97F4A7C15u >> 32) & (c->room - 1);

	while (c->called[i].function && c->called[i].function != function) i = (i + 1) & (c->room - 1);
	return &c->called[i];
}

static void grow(struct decoded *c)
{
	struct decoded old = *c;

	c->room = old.room ? 2 * old.room : 256;
	c->called = xcalloc(c->room, sizeof *c->called);
	for (size_t i = 0; i < old.room; i++)
		if (old.called[i].function) *slot_of(c, old.called[i].function) = old.called[i];
	free(old.called);
}

static const struct called *calls_of(struct decoded *c, uint64_t function, uint64_t size)
{
	uint64_t to[CALLS_MAX];

	if (2 * c->n >= c->room) grow(c);
	struct called *at = slot_of(c, function);
	if (at->function) return at;
	at->function = function;
	at->n = functions_calls(&c->text, function, size, to, CALLS_MAX);
	at->to = xcalloc(at->n + 1, sizeof *to);
	memcpy(at->to, to, at->n * sizeof *to);
	c->n++;
	return at;
}

static void decoded_free(struct decoded *c)
{
	for (size_t i = 0; i < c->room; i++) free(c->called[i].to);
	free(c->called);
	free((void *)c->text.bytes);
}

/* Does its code come to another of the functions that allocate, directly or by functions that it calls? */
static int comes_to_another(const struct defined *d, struct decoded *code, uint64_t function, uint64_t size, uint64_t own, unsigned depth)
{
	const struct called *calls = calls_of(code, function, size);
	const uint64_t *to = calls->to;
	size_t n = calls->n;    /* the table moves, what it leads to does not */

	for (size_t i = 0; i < n; i++) {
		const struct function *f = function_at(d, to[i]);
		if (to[i] == own || to[i] == function) continue;
		if (f ? allocates(f->name) : depth && comes_to_another(d, code, to[i], 0, own, depth - 1)) return 1;
	}
	return 0;
}

const char *functions_plain(const char *name)
{
	static const struct { const char *throwing, *plain; } table[] = {
		{ "_Znwm", "malloc" }, { "_Znam", "malloc" }, { "_ZnwmSt11align_val_t", "memalign" }, { "_ZnamSt11align_val_t", "memalign" },
		{ "tc_new", "tc_malloc" }, { "tc_newarray", "tc_malloc" }, { "mi_new", "mi_malloc" }, { "mi_new_n", "mi_malloc" },
		{ "mi_new_aligned", "mi_malloc_aligned" },
	};
	for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
		if (!strcmp(table[i].throwing, name)) return table[i].plain;
	return NULL;
}

static int defines(const struct defined *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->of[i].address && !strcmp(d->of[i].name, name)) return 1;
	return 0;
}

/* Do some of its calls come to another entry, and some not? So it is with what resizes and aligns; the others always do, or never. */
static int may_vary(const char *name)
{
	return strstr(name, "realloc") || strstr(name, "align") || strstr(name, "valloc") || strstr(name, "rallocx");
}

/* How an entry does its work is watched by the agent in the first calls; but one that now goes through another and now does not would be judged by
   these, and one that throws cannot be watched. One that only jumps to another needs no watching. */
static uint32_t nature_of(const struct defined *d, const struct function *f, struct decoded *code)
{
	const char *plain = functions_plain(f->name);
	uint64_t jumps_to = functions_tail_call(&code->text, f->address);
	const struct function *other = jumps_to ? function_at(d, jumps_to) : NULL;

	if (other && allocates(other->name) == allocates(f->name)) return ATTACH_OUTER;
	if (!allocates(f->name)) return ATTACH_LEARN;
	int nested = comes_to_another(d, code, f->address, f->size, f->address, DEPTH);
	if (plain) return nested || !defines(d, plain) ? ATTACH_OUTER : ATTACH_LEAF;
	return nested && may_vary(f->name) ? ATTACH_VARIES : ATTACH_LEARN;
}

static void natures(struct defined *d, const struct target *t, const struct loaded *o)
{
	struct decoded code = { .text = text_of(t, o, TEXT_MAX) };

	for (size_t i = 0; i < d->n && code.text.bytes; i++)
		if (d->of[i].address) d->of[i].nature = nature_of(d, &d->of[i], &code);
	decoded_free(&code);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------------------------- */

static void keep(struct functions *f, const struct defined *d)
{
	for (size_t i = 0; i < d->n; i++) {
		int known = !d->of[i].address;
		for (size_t k = 0; k < f->n && !known; k++) known = f->function[k].address == d->of[i].address;
		if (known) continue;
		if (!(f->n & (f->n - 1))) f->function = xreallocarray(f->function, f->n ? 2 * f->n : 1, sizeof *f->function);
		f->function[f->n++] = d->of[i];
	}
}

static void find_in(struct functions *f, const struct names *names, const struct target *t, const struct loaded *o, uint64_t context)
{
	struct defined d = { xcalloc(names->n, sizeof *d.of), names->n };
	int symbols = take_file(&d, names, t, o), any = 0;

	if (context && !symbols && o->is_main && !defines(&d, "malloc")) take_musl(&d, names, t, o, context, f);
	for (size_t i = 0; i < d.n; i++) any |= d.of[i].address != 0;
	if (any) {
		natures(&d, t, o);
		keep(f, &d);
	}
	free(d.of);
}

void functions_find(struct functions *f, const struct target *t, const struct loadeds *l, const char *const *names, size_t n)
{
	struct names wanted = { .name = names, .n = n };
	struct target_region where = { 0 };
	const char *how;
	uint64_t context = musl_find(t, &how, &where);

	*f = (struct functions){ 0 };
	names_sort(&wanted);
	for (size_t i = 0; i < l->n; i++) {
		const struct loaded *o = &l->object[i];
		if (!o->is_vdso) find_in(f, &wanted, t, o, context >= o->start && context < o->end ? context : 0);
	}
	free(wanted.sorted);
	if (!f->n && !f->trouble[0])
		snprintf(f->trouble, sizeof f->trouble, "none of its symbols is an allocator's (where they were stripped only musl's is told, by its code)");
}

void functions_free(struct functions *f)
{
	free(f->function);
	*f = (struct functions){ 0 };
}

const char *functions_way(enum function_way way)
{
	static const char *const words[] = { "exported", "symbol", "code" };

	return words[way];
}
