/* got.c: see got.h. Definitions first, in the order of the search: the first object that exports a name is where it leads. Then the
 * relocations. A slot counts when it holds that function, or a stub of its own object that will look it up at the first call. */
#include "inspect/attach/got.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/attach/loaded.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { DYN_MAX = 512, SYMBOLS_MAX = 4 << 20 };
static const uint64_t table_max = 256 << 20;

/* The tables of one object, copied. */
struct tables {
	const struct loaded *o;
	Elf64_Sym *sym; size_t nsym, defined;   /* defined: as many as the hash table tells of */
	uint16_t *version;
	char *str; size_t nstr;
	Elf64_Rela *rela; size_t nrela;         /* both relocation tables */
};

struct sorted { const char *name; uint16_t index; };
struct search { struct got *g; const struct target *t; const struct loadeds *l; struct sorted name[GOT_NAMES]; size_t n; };

/* ---- tables -------------------------------------------------------------------------------------------------------------------------- */

/* glibc's loader makes the addresses in a dynamic section absolute, musl's does not. */
static uint64_t address(const struct loaded *o, uint64_t v) { return v >= o->start && v < o->end ? v : v + o->bias; }

static void *copy(const struct target *t, const struct loaded *o, uint64_t addr, uint64_t size, size_t entry, size_t *n)
{
	*n = 0;
	if (addr < o->start || addr >= o->end || !size) return NULL;
	if (size > o->end - addr) size = o->end - addr;
	if (size > table_max) return NULL;
	char *p = xmalloc(size + 1);
	size_t got = mem_read_some(t->mem, addr, p, size);
	p[got] = 0;
	*n = got / entry;
	return p;
}

/* How many symbols a GNU hash table tells of: the end of the chain of its highest bucket. */
static size_t count_gnu(const struct target *t, const struct loaded *o, uint64_t at)
{
	uint32_t head[4], *bucket, *chain, last = 0;
	size_t n;

	if (mem_read_some(t->mem, at, head, sizeof head) < sizeof head || head[0] > SYMBOLS_MAX || head[2] > SYMBOLS_MAX) return 0;
	uint64_t buckets = at + sizeof head + 8ull * head[2];
	if (!(bucket = copy(t, o, buckets, 4ull * head[0], 4, &n))) return 0;
	for (size_t i = 0; i < n; i++)
		if (bucket[i] > last) last = bucket[i];
	free(bucket);
	if (last < head[1] || last > SYMBOLS_MAX) return head[1] < SYMBOLS_MAX ? head[1] : 0;
	uint64_t rest = buckets + 4ull * head[0] + 4ull * (last - head[1]);
	if (!(chain = copy(t, o, rest, 4 << 16, 4, &n))) return last;
	for (size_t i = 0; i < n && last < SYMBOLS_MAX; i++, last++)
		if (chain[i] & 1) break;
	free(chain);
	return last + 1;
}

static int is_rela(const Elf64_Dyn *d, size_t n)
{
	for (size_t i = 0; i < n && d[i].d_tag != DT_NULL; i++)
		if (d[i].d_tag == DT_PLTREL && d[i].d_un.d_val != DT_RELA) return 0;
	return 1;
}

static uint64_t entry_of(const Elf64_Dyn *d, size_t n, int64_t tag)
{
	for (size_t i = 0; i < n && d[i].d_tag != DT_NULL; i++)
		if (d[i].d_tag == tag) return d[i].d_un.d_val;
	return 0;
}

static void tables_close(struct tables *x)
{
	free(x->sym);
	free(x->version);
	free(x->str);
	free(x->rela);
}

static int tables_open(struct tables *x, const struct target *t, const struct loaded *o, int relocations)
{
	Elf64_Dyn d[DYN_MAX];
	size_t n = o->dynamic ? mem_read_some(t->mem, o->dynamic, d, o->dynamic_size) / sizeof *d : 0, nversion;

	*x = (struct tables){ .o = o };
	uint64_t sym = entry_of(d, n, DT_SYMTAB), str = entry_of(d, n, DT_STRTAB), gnu = entry_of(d, n, DT_GNU_HASH), hash = entry_of(d, n, DT_HASH);
	uint64_t version = entry_of(d, n, DT_VERSYM), jmprel = entry_of(d, n, DT_JMPREL), rela = entry_of(d, n, DT_RELA);
	if (!n || !sym || !str) return -1;
	if (gnu) x->defined = count_gnu(t, o, address(o, gnu));
	uint32_t counts[2];
	if (!x->defined && hash && mem_read_some(t->mem, address(o, hash), counts, sizeof counts) == sizeof counts) x->defined = counts[1];
	if (x->defined > SYMBOLS_MAX) return -1;

	Elf64_Rela *a = NULL, *b = NULL;
	size_t na = 0, nb = 0, most = x->defined;
	if (relocations && rela) a = copy(t, o, address(o, rela), entry_of(d, n, DT_RELASZ), sizeof *a, &na);
	if (relocations && jmprel && is_rela(d, n)) b = copy(t, o, address(o, jmprel), entry_of(d, n, DT_PLTRELSZ), sizeof *b, &nb);
	x->rela = xcalloc(na + nb + 1, sizeof *x->rela);
	for (size_t i = 0; i < na + nb; i++) {
		const Elf64_Rela *r = i < na ? &a[i] : &b[i - na];
		if (!ELF64_R_SYM(r->r_info)) continue;
		x->rela[x->nrela++] = *r;
		if (ELF64_R_SYM(r->r_info) < SYMBOLS_MAX && ELF64_R_SYM(r->r_info) >= most) most = ELF64_R_SYM(r->r_info) + 1;
	}
	free(a);
	free(b);
	x->sym = copy(t, o, address(o, sym), most * sizeof *x->sym, sizeof *x->sym, &x->nsym);
	x->str = copy(t, o, address(o, str), entry_of(d, n, DT_STRSZ), 1, &x->nstr);
	if (version) x->version = copy(t, o, address(o, version), most * sizeof *x->version, sizeof *x->version, &nversion);
	if (x->version && nversion < x->nsym) free(x->version), x->version = NULL;
	if (x->sym && x->str) return 0;
	tables_close(x);
	return -1;
}

static const char *name_of(const struct tables *x, size_t i)
{
	return i < x->nsym && x->sym[i].st_name < x->nstr ? x->str + x->sym[i].st_name : "";
}

/* ---- definitions --------------------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) { return strcmp(((const struct sorted *)a)->name, ((const struct sorted *)b)->name); }

static int index_of(const struct search *s, const char *name)
{
	struct sorted key = { .name = name };
	const struct sorted *f = *name ? bsearch(&key, s->name, s->n, sizeof key, by_name) : NULL;

	return f ? f->index : -1;
}

static int is_definition(const struct tables *x, size_t i)
{
	const Elf64_Sym *y = &x->sym[i];
	unsigned type = ELF64_ST_TYPE(y->st_info), bind = ELF64_ST_BIND(y->st_info);

	if (y->st_shndx == SHN_UNDEF || !y->st_value || (type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC)) return 0;
	return (bind == STB_GLOBAL || bind == STB_WEAK) && loaded_executable(x->o, x->o->bias + y->st_value);
}

/* The default version wins in its object; a function that is chosen at run time (IFUNC) is known by what the slots hold. */
static void define(struct search *s, const struct tables *x)
{
	uint8_t weak[GOT_NAMES] = { 0 };

	for (size_t i = 1; i < x->nsym && i < x->defined; i++) {
		int k = is_definition(x, i) ? index_of(s, name_of(x, i)) : -1;
		if (k < 0) continue;
		struct got_name *name = &s->g->name[k];
		int hidden = x->version && x->version[i] & 0x8000;
		if (name->owner && !(name->owner == x->o && weak[k] && !hidden)) continue;
		name->owner = x->o;
		name->real = ELF64_ST_TYPE(x->sym[i].st_info) == STT_GNU_IFUNC ? 0 : x->o->bias + x->sym[i].st_value;
		weak[k] = (uint8_t)hidden;
	}
}

uint64_t got_symbol(const struct target *t, const struct loaded *o, const char *name)
{
	struct tables x;
	uint64_t found = 0;

	if (tables_open(&x, t, o, 0)) return 0;
	for (size_t i = 1; i < x.nsym && i < x.defined && !found; i++)
		if (is_definition(&x, i) && !strcmp(name_of(&x, i), name)) found = o->bias + x.sym[i].st_value;
	tables_close(&x);
	return found;
}

/* ---- slots --------------------------------------------------------------------------------------------------------------------------- */

static void push(struct got_slot **list, size_t *n, const struct got_slot *v)
{
	if (!(*n & (*n - 1))) *list = xreallocarray(*list, *n ? 2 * *n : 1, sizeof **list);
	(*list)[(*n)++] = *v;
}

static void take(struct search *s, const struct tables *x, const Elf64_Rela *r)
{
	struct got_slot slot = { .addr = x->o->bias + r->r_offset, .object = x->o };
	int k = index_of(s, name_of(x, ELF64_R_SYM(r->r_info)));

	if (k < 0 || slot.addr % 8 || slot.addr < x->o->start || slot.addr > x->o->end - 8) return;
	switch (ELF64_R_TYPE(r->r_info)) {
	case R_X86_64_JUMP_SLOT: slot.kind = GOT_CALL; break;
	case R_X86_64_GLOB_DAT: slot.kind = GOT_ADDRESS; break;
	case R_X86_64_64: slot.kind = GOT_DATA; break;
	default: return;
	}
	if (slot.kind == GOT_DATA && r->r_addend) return;
	slot.name = (uint16_t)k;
	if (mem_read_some(s->t->mem, slot.addr, &slot.value, sizeof slot.value) < sizeof slot.value || !slot.value) return;
	struct got_name *name = &s->g->name[k];
	int own = loaded_executable(x->o, slot.value);
	if (!name->real && name->owner && slot.kind != GOT_DATA && loaded_executable(name->owner, slot.value)) name->real = slot.value;
	if (!name->real) return;
	slot.lazy = slot.kind == GOT_CALL && own && slot.value != name->real;
	if (slot.value == name->real || slot.lazy) {
		name->slots++;
		push(&s->g->slot, &s->g->n, &slot);
		return;
	}
	/* the program's own stub for it stands for the function where its address is taken; and what a program did with its data is its own */
	const struct loaded *leads = loaded_find(s->l, slot.value);
	if (slot.kind == GOT_DATA || own || (leads && leads->is_main && leads != name->owner)) return;
	name->elsewhere++;
	push(&s->g->elsewhere, &s->g->nelsewhere, &slot);
}

void got_find(struct got *g, const struct target *t, const struct loadeds *l, const char *const *names, size_t n)
{
	struct search s = { .g = g, .t = t, .l = l };
	struct tables x;

	*g = (struct got){ .nnames = n < GOT_NAMES ? n : GOT_NAMES };
	for (; s.n < g->nnames; s.n++) s.name[s.n] = (struct sorted){ names[s.n], (uint16_t)s.n };
	qsort(s.name, s.n, sizeof *s.name, by_name);
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < l->n; i++) {
			const struct loaded *o = &l->object[i];
			if (o->is_vdso || !o->dynamic || (!pass && l->ordered && !o->in_scope)) continue;
			if (tables_open(&x, t, o, pass)) {
				g->unread += !pass;
				continue;
			}
			if (!pass) define(&s, &x);
			for (size_t k = 0; pass && k < x.nrela; k++) take(&s, &x, &x.rela[k]);
			tables_close(&x);
		}
}

void got_free(struct got *g)
{
	free(g->slot);
	free(g->elsewhere);
	*g = (struct got){ 0 };
}
