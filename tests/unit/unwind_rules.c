/* unwind_rules: the reader of call frame information on tables that are wrong. libc's own .eh_frame and its index are copied, bytes of
 * the copy are changed at random, and rules are asked for all over it: it must neither crash, nor read outside of the copy (which ends
 * at a page that cannot be read), nor loop; and the untouched copy must give the rules that the original gives. */
/* LINK: agent/modules.c agent/scan.c agent/ehframe.c agent/cfi.c agent/cfi_expression.c agent/cursor.c agent/unwind.c agent/unwind_x86_64.c */
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "agent/ehframe.h"
#include "agent/modules.h"

enum { PAGE = 4096, ROUNDS = 2000, ASKED = 400 };

static uint64_t seed = 88172645463325252u;

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* The index to the end of its segment, which holds .eh_frame behind it, copied so that it ends where a page begins that is not there. */
struct copy { struct module m; unsigned char *at; const unsigned char *from; size_t size; };

static int find(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct copy *c = arg;
	const ElfW(Phdr) *hdr = NULL;
	(void)size;
	if (!strstr(info->dlpi_name, "libc.so")) return 0;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME) hdr = &info->dlpi_phdr[i];
	for (int i = 0; hdr && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type != PT_LOAD || hdr->p_vaddr < p->p_vaddr || hdr->p_vaddr >= p->p_vaddr + p->p_memsz) continue;
		c->from = (const void *)(info->dlpi_addr + hdr->p_vaddr);
		c->size = p->p_vaddr + p->p_memsz - hdr->p_vaddr;
		c->m.hdr_end = hdr->p_memsz;
	}
	return 1;
}

static int build(struct copy *c)
{
	dl_iterate_phdr(find, c);
	if (!c->from) return -1;
	size_t room = (c->size + 16 + PAGE - 1) / PAGE * PAGE;
	unsigned char *p = mmap(NULL, room + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || mprotect(p + room, PAGE, PROT_NONE)) return -1;
	c->at = p + room - c->size;
	c->at -= ((uintptr_t)c->at - (uintptr_t)c->from) % 16;  /* PLT entries' rules depend on the address's low bits */
	c->m.start = (uintptr_t)c->at;
	c->m.end = (uintptr_t)p + room + PAGE;         /* one page more than can be read, as hostile program headers might say */
	c->m.hdr = (uintptr_t)c->at;
	c->m.hdr_end += c->m.hdr;
	memcpy(c->at, c->from, c->size);
	return 0;
}

/* Code addresses are relative to the tables, so a rule of the copy is asked for at the same distance from it. */
static unsigned long agree(const struct copy *c, unsigned long *described)
{
	const struct module *real = modules_find((uintptr_t)c->from);
	unsigned long equal = 0;
	*described = 0;
	for (uintptr_t pc = real->text; pc < real->text_end; pc += 97) {
		struct rule a, b;
		int r = ehframe_rule(real, pc, 1, &a), s = ehframe_rule(&c->m, pc - (uintptr_t)c->from + (uintptr_t)c->at, 1, &b);
		if (r) continue;
		++*described;
		equal += !s && !memcmp(&a, &b, sizeof a);
	}
	return equal;
}

static unsigned long torment(struct copy *c, int linear)
{
	const struct module *real = modules_find((uintptr_t)c->from);
	unsigned long found = 0, size = real->text_end - real->text;
	uintptr_t base = real->text - (uintptr_t)c->from + (uintptr_t)c->at;
	struct module m = c->m;
	if (linear) {
		m.frames = m.hdr_end;
		m.frames_end = m.end;
		m.hdr = m.hdr_end = 0;
	}
	for (unsigned i = 0; i < (linear ? ROUNDS / 50 : ROUNDS); i++) {
		memcpy(c->at, c->from, c->size);
		for (uint64_t n = 1u << draw(17); n; n--) c->at[draw(c->size)] = (unsigned char)draw(256);
		for (unsigned k = 0; k < (linear ? ASKED / 20 : ASKED); k++) {
			struct rule r;
			found += !ehframe_rule(&m, base + draw(size), (int)draw(2), &r);
			if (r.flags & RULE_NONE) continue;
			if ((r.cfa & 15) >= RULE_REGS || r.cfa >> 4 >= RULE_REGS || r.low > -1) abort();
			for (unsigned j = 0; j < RULE_SAVED; j++)
				if (!(r.based >> j & 1) && (r.reg[j] > 0 || r.reg[j] < r.low)) abort();
		}
	}
	return found;
}

int main(void)
{
	struct copy c = { .from = NULL };
	unsigned long described, equal, found;
	modules_scan();
	printf("1..4\n");
	if (build(&c)) {
		printf("not ok 1 - no tables to work on\n");
		return 1;
	}
	equal = agree(&c, &described);
	printf("%s 1 - a copy gives the rules of the original: %lu of %lu\n", equal == described && described > 10000 ? "ok" : "not ok", equal, described);
	found = torment(&c, 0);
	printf("%s 2 - with changed bytes: survived, %lu rules\n", found > 1000 ? "ok" : "not ok", found);
	found = torment(&c, 1);
	printf("%s 3 - the same without an index: survived, %lu rules\n", found > 1 ? "ok" : "not ok", found);
	struct rule r;
	memset(c.at + 12, 0xff, c.size - 12);
	printf("%s 4 - tables of nothing but ones have no rule\n", ehframe_rule(&c.m, (uintptr_t)c.at, 1, &r) && r.flags & RULE_NONE ? "ok" : "not ok");
	return 0;
}
