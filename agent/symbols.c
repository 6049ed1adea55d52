/* symbols.c: see symbols.h. The objects come from the list that the loader keeps for debuggers. */
#include "symbols.h"
#include "elf.h"
#include "sys.h"

enum { OBJECTS_MAX = 4096, CHAIN_MAX = 1 << 20 };

/* glibc exports the record itself, musl a pointer to it. */
extern WEAK struct elf_debug _r_debug;
extern WEAK struct elf_debug *_dl_debug_addr;
/* Our own dynamic section tells which object of the list is ours; a static program has none. */
extern const Elf64_Dyn _DYNAMIC[] __attribute__((weak, visibility("hidden")));

struct object {
	uintptr_t bias;
	const Elf64_Sym *symbol;
	const char *strings;
	const uint16_t *version;
	const uint32_t *gnu, *sysv;
};

/* glibc relocates these pointers where they stand, musl does not, and neither does so in the kernel's object. */
static const void *pointer(uintptr_t bias, uintptr_t value)
{
	return (const void *)(value < bias ? value + bias : value);
}

static int open_object(struct object *o, const struct elf_link *l)
{
	const Elf64_Dyn *d = l->dynamic;
	*o = (struct object){ .bias = l->bias };
	if (!d || (l->name && !strncmp(l->name, "linux-", 6))) return -1;       /* linux-vdso.so.1, linux-gate.so.1 */
	for (; d->d_tag != DT_NULL; d++) {
		const void *p = pointer(l->bias, d->d_un.d_ptr);
		switch (d->d_tag) {
		case DT_SYMTAB: o->symbol = p; break;
		case DT_STRTAB: o->strings = p; break;
		case DT_VERSYM: o->version = p; break;
		case DT_GNU_HASH: o->gnu = p; break;
		case DT_HASH: o->sysv = p; break;
		}
	}
	return o->symbol && o->strings && (o->gnu || o->sysv) ? 0 : -1;
}

static void *take(const struct object *o, uint32_t i, const char *name)
{
	const Elf64_Sym *s = &o->symbol[i];
	unsigned type = ELF64_ST_TYPE(s->st_info), bind = ELF64_ST_BIND(s->st_info);
	if (s->st_shndx == SHN_UNDEF || !s->st_value || strcmp(o->strings + s->st_name, name)) return NULL;
	if (type != STT_FUNC && type != STT_NOTYPE && type != STT_OBJECT) return NULL;
	if (bind != STB_GLOBAL && bind != STB_WEAK && bind != STB_GNU_UNIQUE) return NULL;
	if (o->version && o->version[i] & 0x8000) return NULL;                  /* an old version, kept for old programs */
	return (void *)(s->st_shndx == SHN_ABS ? s->st_value : s->st_value + o->bias);
}

static void *find_gnu(const struct object *o, const char *name)
{
	uint32_t hash = 5381, buckets = o->gnu[0], first = o->gnu[1], words = o->gnu[2], shift = o->gnu[3];
	const uint64_t *bloom = (const void *)(o->gnu + 4);
	const uint32_t *bucket = (const void *)(bloom + words), *chain = bucket + buckets;
	for (const char *p = name; *p; p++) hash = hash * 33 + (uint8_t)*p;
	if (!buckets || !words) return NULL;
	uint64_t word = bloom[hash / 64 % words];
	if (!(word >> hash % 64 & word >> (hash >> shift) % 64 & 1)) return NULL;
	uint32_t i = bucket[hash % buckets];
	if (i < first) return NULL;
	for (unsigned n = 0; n < CHAIN_MAX; n++, i++) {
		uint32_t h = chain[i - first];
		void *found = (h | 1) == (hash | 1) ? take(o, i, name) : NULL;
		if (found || h & 1) return found;
	}
	return NULL;
}

static void *find_sysv(const struct object *o, const char *name)
{
	uint32_t hash = 0, buckets = o->sysv[0], count = o->sysv[1];
	const uint32_t *bucket = o->sysv + 2, *chain = bucket + buckets;
	for (const char *p = name; *p; p++) {
		hash = (hash << 4) + (uint8_t)*p;
		hash ^= hash >> 24 & 0xf0;
	}
	hash &= 0x0fffffff;
	if (!buckets) return NULL;
	for (uint32_t i = bucket[hash % buckets], n = 0; i && i < count && n < count; i = chain[i], n++) {
		void *found = take(o, i, name);
		if (found) return found;
	}
	return NULL;
}

static void *find(const struct elf_link *l, const char *name)
{
	struct object o;
	if (open_object(&o, l)) return NULL;
	return o.gnu ? find_gnu(&o, name) : find_sysv(&o, name);
}

static const struct elf_link *first(void)
{
	if (&_r_debug && _r_debug.first) return _r_debug.first;
	return &_dl_debug_addr && _dl_debug_addr ? _dl_debug_addr->first : NULL;
}

static void *search(const char *name, int after_us)
{
	unsigned n = 0;
	int reached = !after_us;
	for (const struct elf_link *l = first(); l && n < OBJECTS_MAX; l = l->next, n++) {
		int ours = l->dynamic == _DYNAMIC;
		void *found = reached && !ours ? find(l, name) : NULL;
		if (found) return found;
		reached |= ours;
	}
	return NULL;
}

void *symbols_find_next(const char *name) { return search(name, 1); }
void *symbols_find_anywhere(const char *name) { return search(name, 0); }
uintptr_t symbols_code(void *fn) { return (uintptr_t)fn; }
uint8_t symbols_nature(const char *name) { (void)name; return 0; }
