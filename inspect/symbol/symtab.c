/* symtab.c: all symbols once, sorted; libdwfl searches linearly for each address. See symtab.h.
 * Of several names for one place the exported and plain one wins: malloc, not __libc_malloc. */
#include "inspect/symbol/symtab.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/symbol/span.h"
#include "inspect/target/xalloc.h"

struct sym {
	uint64_t start, end;            /* end 0: the symbol has no size */
	uint64_t limit;                 /* end of its section */
	const char *name;
	uint8_t rank;
};

struct symtab { struct sym *sym; size_t n, cap; struct spans spans; };

static uint8_t rank_of(const GElf_Sym *s, const char *name)
{
	uint8_t r = GELF_ST_TYPE(s->st_info) == STT_NOTYPE ? 0 : 64;
	unsigned bind = GELF_ST_BIND(s->st_info), plain = (unsigned)strspn(name, "_");
	r += bind == STB_GLOBAL ? 32 : bind == STB_WEAK ? 16 : 0;
	return (uint8_t)(r + (plain < 15 ? 15 - plain : 0));
}

/* Bounds of the section of a symbol; 0 when it is not code or not known. */
static uint64_t code_limit(Elf *elf, GElf_Word shndx, uint64_t value)
{
	GElf_Shdr sh;
	Elf_Scn *scn = elf ? elf_getscn(elf, shndx) : NULL;
	if (!scn || !gelf_getshdr(scn, &sh) || !(sh.sh_flags & SHF_EXECINSTR)) return 0;
	return value >= sh.sh_addr && value - sh.sh_addr < sh.sh_size ? sh.sh_addr + sh.sh_size : 0;
}

static void take(struct symtab *t, Dwfl_Module *mod, int i, uint64_t bias)
{
	GElf_Sym s;
	GElf_Addr addr, elf_bias;
	GElf_Word shndx;
	Elf *elf;
	const char *name = dwfl_module_getsym_info(mod, i, &s, &addr, &shndx, &elf, &elf_bias);
	unsigned type = GELF_ST_TYPE(s.st_info);
	if (!name || !*name || *name == '$' || shndx == SHN_UNDEF || shndx == SHN_ABS) return;
	if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) return;
	/* unsized symbols and labels need a section to say that they are code, and where it ends */
	uint64_t limit = 0;
	if (type == STT_NOTYPE || !s.st_size) {
		limit = code_limit(elf, shndx, s.st_value);
		if (!limit) return;
		limit += elf_bias - bias;
	}
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 256;
		t->sym = xreallocarray(t->sym, t->cap, sizeof *t->sym);
	}
	uint64_t start = addr - bias;
	t->sym[t->n++] = (struct sym){start, s.st_size && s.st_size < UINT64_MAX - start ? start + s.st_size : 0, limit, name,
	                              rank_of(&s, name)};
}

/* By address, the best name last: a search takes the last. */
static int by_value(const void *a, const void *b)
{
	const struct sym *x = a, *y = b;
	if (x->start != y->start) return x->start < y->start ? -1 : 1;
	if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
	size_t nx = strlen(x->name), ny = strlen(y->name);
	if (nx != ny) return nx > ny ? -1 : 1;
	return strcmp(y->name, x->name);
}

struct symtab *symtab_open(Dwfl_Module *mod, uint64_t bias)
{
	struct symtab *t = xcalloc(1, sizeof *t);
	int n = dwfl_module_getsymtab(mod);
	for (int i = 1; i < n; i++) take(t, mod, i, bias);
	if (t->n) qsort(t->sym, t->n, sizeof *t->sym, by_value);
	uint64_t next = UINT64_MAX;
	for (size_t i = t->n; i--;) {
		struct sym *s = &t->sym[i];
		if (i + 1 < t->n && s[1].start > s->start) next = s[1].start;
		uint64_t end = s->end ? s->end : next < s->limit ? next : s->limit;
		spans_add(&t->spans, s->start, end, (uint32_t)i);
	}
	spans_sort(&t->spans);
	return t;
}

void symtab_close(struct symtab *t)
{
	if (!t) return;
	spans_free(&t->spans);
	free(t->sym);
	free(t);
}

const char *symtab_find(const struct symtab *t, uint64_t vaddr, size_t *n)
{
	/* a label inside a function of known size is not another function */
	const struct span *label = NULL, *s = NULL;
	for (int looked = 0; looked < 256 && (s = spans_find(&t->spans, vaddr, s)); looked++) {
		if (t->sym[s->id].end) break;
		if (!label) label = s;
	}
	if (!s) s = label;
	if (!s) return NULL;
	const char *name = t->sym[s->id].name;
	*n = strcspn(name, "@");
	return *n ? name : NULL;
}

void symtab_each(const struct symtab *t, void (*fn)(void *arg, const char *name, uint64_t start, uint64_t end), void *arg)
{
	for (size_t i = 0; i < t->spans.n; i++) {
		const struct span *s = &t->spans.span[i];
		fn(arg, t->sym[s->id].name, s->start, s->end);
	}
}
