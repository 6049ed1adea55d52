/* entry.c: jumps at the entries of functions. Planned for every function that the C libraries and the allocators on this machine export, and each
 * relocated instruction decoded again and compared; by hand, what must be refused; and executed: every function of this process's libc gets
 * its jump at once, and must still do what it did. */
/* LINK: inspect/attach/entry.c inspect/attach/entry_x86_64.c inspect/target/err.c inspect/target/maps.c inspect/target/mem.c inspect/target/mem_fixture.c inspect/target/xalloc.c */
/* CFLAGS: -O1 -fno-builtin */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <gelf.h>
#include <link.h>
#include <locale.h>
#include <pthread.h>
#include <regex.h>
#include <search.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <Zydis/Zydis.h>

#include "inspect/attach/entry.h"
#include "inspect/target/err.h"
#include "inspect/target/maps.h"
#include "tests/tap.h"

static const struct { const char *path; double refused; } library[] = {
	{ "/lib/x86_64-linux-gnu/libc.so.6", 0.02 }, { "/lib/x86_64-linux-musl/libc.so", 0.03 }, { "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", 0.02 },
	{ "/usr/lib/x86_64-linux-gnu/libtcmalloc.so.4", 0.02 }, { "/usr/lib/x86_64-linux-gnu/libmimalloc.so.2", 0.02 },
	{ "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", 0.02 },
};

/* ---- decoding again --------------------------------------------------------------------------------------------------------------------- */

struct seen { ZydisMnemonic mnemonic; uint64_t target; unsigned length; };

static int see(const uint8_t *bytes, size_t n, uint64_t at, struct seen *s)
{
	ZydisDecoder d;
	ZydisDecodedInstruction z;
	ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];

	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&d, bytes, n, &z, o))) return -1;
	*s = (struct seen){ z.mnemonic, 0, z.length };
	for (unsigned i = 0; i < z.operand_count; i++)
		if (o[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? o[i].imm.is_relative : o[i].type == ZYDIS_OPERAND_TYPE_MEMORY && o[i].mem.base == ZYDIS_REGISTER_RIP)
			ZydisCalcAbsoluteAddress(&z, &o[i], at, &s->target);
	return 0;
}

/* Where a jump of the trampoline leads: directly, or by the address behind it. */
static uint64_t leads(const struct entry_plan *p, unsigned at, const struct seen *s)
{
	uint64_t to = s->target;

	if (s->mnemonic == ZYDIS_MNEMONIC_JMP && to == p->trampoline + at + s->length) memcpy(&to, p->code + at + s->length, sizeof to);
	return to;
}

/* Instruction by instruction: the displaced ones, then a jump to what is behind them. Calls became a jump with the return address pushed. */
static const char *differs(const struct entry_plan *p, const uint8_t *code, uint64_t hook)
{
	unsigned at = 0, t = 0;
	struct seen a, b;
	uint64_t where = p->address;

	if (see(p->new, ENTRY_JUMP, p->address, &b) || b.length != ENTRY_JUMP) return "no jump at the entry";
	if (b.target != hook) {
		unsigned far = (unsigned)(b.target - p->trampoline);
		if (hook - p->address + (1u << 30) < 1u << 31) return "the jump does not lead to the hook, which is near";
		if (far >= p->code_size || see(p->code + far, p->code_size - far, b.target, &b) || b.mnemonic != ZYDIS_MNEMONIC_JMP || leads(p, far, &b) != hook) return "no jump to the hook";
	}
	if (see(p->code, p->code_size, p->trampoline, &b) || b.mnemonic != ZYDIS_MNEMONIC_ENDBR64) return "no endbr64";
	t += b.length;
	while (at < ENTRY_JUMP) {
		if (see(code + at, 32, where + at, &a)) return "the original does not decode";
		if (t >= p->code_size || see(p->code + t, p->code_size - t, p->trampoline + t, &b)) return "the copy does not decode";
		if (a.mnemonic == ZYDIS_MNEMONIC_CALL) {
			uint32_t half[2];
			memcpy(&half[0], p->code + t + 8, 4);
			memcpy(&half[1], p->code + t + 16, 4);
			t += 20;
			if (((uint64_t)half[1] << 32 | half[0]) != where + at + a.length) return "the pushed address is wrong";
			if (see(p->code + t, p->code_size - t, p->trampoline + t, &b) || leads(p, t, &b) != a.target) return "the call leads elsewhere";
			return at + a.length >= ENTRY_JUMP ? NULL : "a call in the middle";
		}
		if (a.mnemonic != b.mnemonic) return "another instruction";
		if (a.target && leads(p, t, &b) != a.target) return "it refers to something else";
		at += a.length;
		t += b.length;
		if (a.mnemonic == ZYDIS_MNEMONIC_RET || a.mnemonic == ZYDIS_MNEMONIC_JMP) return t <= p->code_size ? NULL : "it is too long";
	}
	if (see(p->code + t, p->code_size - t, p->trampoline + t, &b) || leads(p, t, &b) != where + at) return "it does not go on behind the jump";
	return NULL;
}

/* ---- libraries ---------------------------------------------------------------------------------------------------------------------------- */

static int is_malloc(const char *name)
{
	static const char *const names[] = {
		"malloc", "free", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign", "mi_malloc", "mi_free", "tc_malloc", "tc_free",
		"mallocx", "dallocx", "_Znwm", "_ZdlPv", "_Znam", "_ZdaPv",
	};
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(names[i], name)) return 1;
	return 0;
}

struct tally { unsigned planned, refused, wrong, allocators, allocators_refused; };

static void plan_one(struct tally *n, const char *name, uint64_t addr, const uint8_t *code, size_t left, size_t known)
{
	enum { FAR = 64 << 20 };
	struct entry_plan p;
	struct err e;
	uint64_t hook = known % 3 ? 0x7e1234567890 : addr + (known % 4 ? FAR : (1u << 30) - 4096);

	/* far and near enough in turn; so is the hook, or out of reach */
	if (entry_plan(&p, addr, code, left, known, hook, addr / 4096 * 4096 + (known % 2 ? FAR : 1u << 30), &e)) {
		n->refused++;
		n->allocators_refused += is_malloc(name);
		if (is_malloc(name)) printf("# %s: %s\n", name, e.text);
		return;
	}
	n->planned++;
	n->allocators += is_malloc(name);
	const char *wrong = differs(&p, code + (p.address - addr), hook);
	if (!wrong && (p.busy != p.address + 1 || p.busy_end != p.address + ENTRY_JUMP || memcmp(p.old, code + (p.address - addr), ENTRY_JUMP))) wrong = "ranges";
	if (!wrong) return;
	n->wrong++;
	printf("# %s at %#llx: %s\n", name, (unsigned long long)addr, wrong);
}

static void plan_library(const char *path, double most)
{
	enum { BASE = 0x7f0000 };
	struct tally n = { 0 };
	size_t size = 0;
	int fd = open(path, O_RDONLY);
	if (fd < 0) {
		ok(1, "%s # SKIP not here", path);
		return;
	}
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	const uint8_t *file = (const uint8_t *)elf_rawfile(elf, &size);
	for (Elf_Scn *s = NULL; (s = elf_nextscn(elf, s));) {
		GElf_Shdr h;
		gelf_getshdr(s, &h);
		if (h.sh_type != SHT_DYNSYM) continue;
		for (size_t i = 0; i < h.sh_size / h.sh_entsize; i++) {
			GElf_Sym sym;
			GElf_Shdr text;
			gelf_getsym(elf_getdata(s, NULL), (int)i, &sym);
			if (GELF_ST_TYPE(sym.st_info) != STT_FUNC || !sym.st_size || sym.st_shndx == SHN_UNDEF || sym.st_shndx >= SHN_LORESERVE) continue;
			gelf_getshdr(elf_getscn(elf, sym.st_shndx), &text);
			size_t offset = sym.st_value - text.sh_addr + text.sh_offset;
			if (offset + sym.st_size > size) continue;
			size_t left = text.sh_offset + text.sh_size - offset;
			plan_one(&n, elf_strptr(elf, h.sh_link, sym.st_name), ((uint64_t)BASE << 24) + sym.st_value, file + offset, left > 65536 ? 65536 : left, sym.st_size);
		}
	}
	elf_end(elf);
	close(fd);
	printf("# %s: %u planned, %u refused\n", path, n.planned, n.refused);
	ok(n.planned > 30 && n.refused <= most * (n.planned + n.refused), "%s: nearly every function can be hooked", path);
	ok(!n.wrong, "and each displaced instruction means the same in its new place");
	ok(!n.allocators_refused && (n.allocators || strstr(path, "stdc")), "%u allocator functions among them", n.allocators);
}

/* ---- by hand -------------------------------------------------------------------------------------------------------------------------------- */

enum { AT = 0x400000, ROOM = 0x500000 };

static int plan(struct entry_plan *p, const char *bytes, size_t n, struct err *e)
{
	uint8_t code[128];

	memset(code, 0xcc, sizeof code);
	memcpy(code, bytes, n);
	*e = (struct err){ 0 };
	return entry_plan(p, AT, code, sizeof code, n, 0x7e1234567890, ROOM, e);
}

#define CODE(s) s, sizeof s - 1

static void refused(const char *what, const char *bytes, size_t n, const char *why)
{
	struct entry_plan p;
	struct err e;
	int bad = plan(&p, bytes, n, &e);

	ok(bad && e.kind == ERR_UNSUPPORTED && strstr(e.text, why), "refused: %s", what);
	if (!bad || !strstr(e.text, why)) printf("# %s\n", bad ? e.text : "planned");
}

static void by_hand(void)
{
	struct entry_plan p;
	struct err e;

	refused("a branch back into the jump", CODE("\x31\xc0\xff\xc0\x39\xf8\x75\xfa\xc3\x90\x90\x90"), "leads into");
	refused("a loop to the first instruction", CODE("\xff\xc8\x90\x90\x90\x90\x75\xf8\xc3"), "loop");
	refused("loop, which has no long form", CODE("\xe2\x10\x90\x90\x90\x90\x90\x90\xc3"), "no long form");
	refused("an indirect call", CODE("\xff\xd0\x90\x90\x90\x90\xc3"), "call");
	refused("shorter than a jump, and another function behind it", CODE("\x31\xc0\xc3\x55\x48\x89\xe5\x5d\xc3"), "shorter");
	refused("no code", CODE("\x06\x06\x06\x06\x06\x06"), "no code");
	refused("a system call", CODE("\x0f\x05\x90\x90\x90\x90\xc3"), "call");
	ok(!plan(&p, CODE("\x31\xc0\xc3"), &e) && p.address == AT, "three bytes and padding");
	ok(!plan(&p, CODE("\xf3\x0f\x1e\xfa\xe9\x00\x10\x00\x00"), &e) && p.address == AT + 4 && p.busy == AT + 5, "the jump is put behind an endbr64");
	ok(!memcmp(p.old, "\xe9\x00\x10\x00\x00", 5) && !differs(&p, (const uint8_t *)"\xe9\x00\x10\x00\x00\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc", 0x7e1234567890), "a tail call (musl's malloc)");
	uint8_t code[64] = "\x48\x8b\x05\x00\x00\x00\x40\xc3";
	ok(entry_plan(&p, 0x7f0000000000, code, sizeof code, 8, 1, 0x7f0000000000 - 0x7f000000, &e) && strstr(e.text, "reach"), "refused: data out of the trampoline's reach");
	ok(entry_plan(&p, 0x7f0000000000, code, sizeof code, 8, 1, 0x7e0000000000, &e) && strstr(e.text, "reach"), "refused: the trampoline out of the function's reach");
	ok(entry_plan(&p, AT, code, 3, 0, 1, ROOM, &e), "refused: three bytes that can be read");
}

static void room(void)
{
	static const char text[] = "00400000-00500000 r-xp 00000000 00:00 1 /bin/p\n00500000-00600000 rw-p 00000000 00:00 0 [heap]\n7f0000000000-7f0000100000 r-xp 00000000 00:00 2 /lib/l\n";
	struct maps m;
	struct err e;

	maps_parse(&m, text, sizeof text - 1, &e);
	ok(entry_room(&m, 0x400000, 0x500000, 0x3000) == 0x3fd000, "room before the program, where no heap grows");
	ok(entry_room(&m, 0x7f0000000000, 0x7f0000100000, 0x1000) == 0x7efffffff000, "room before a library");
	ok(!entry_room(&m, 0x400000, 0x7f0000000000, 0x1000), "no room that reaches both");
	maps_free(&m);
}

/* ---- executed -------------------------------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static void *in_thread(void *arg) { return strdup(arg); }

/* Many functions of libc, among them those that call each other, take callbacks, jump out; the result as text. */
static void work(char *out, size_t n)
{
	static int table[257];
	struct tm tm = { .tm_year = 120, .tm_mon = 6, .tm_mday = 14, .tm_isdst = -1 };
	char buf[256], *end, *copy;
	wchar_t wide[32];
	regex_t re;
	regmatch_t match[2];
	pthread_t t;
	void *joined = NULL;
	jmp_buf jump;
	size_t at = 0;

#define SAY(...) at += (size_t)snprintf(out + at, n - at, __VA_ARGS__)
	for (int i = 0; i < 257; i++) table[i] = i * 7919 % 257;
	qsort(table, 257, sizeof *table, by_number);
	int key = 100, *found = bsearch(&key, table, 257, sizeof *table, by_number);
	SAY("%d %d %d;", table[0], table[256], found ? (int)(found - table) : -1);
	SAY("%ld %lu %g %g;", strtol("-1234x", &end, 10), strtoul("0xff", NULL, 0), strtod("3.25e10", NULL), atof("-0.5"));
	strcpy(buf, "the quick brown fox");
	copy = strdup(buf);
	for (char *save = NULL, *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) SAY("%s:%zu:%c,", w, strlen(w), toupper(w[0]));
	free(copy);
	SAY("%s %s %d %d;", strstr(buf, "brown"), strrchr(buf, 'q'), strcasecmp("ABC", "abd"), memcmp("xyz", "xya", 3));
	regcomp(&re, "q(u.c)k", REG_EXTENDED);
	int no = regexec(&re, buf, 2, match, 0);
	SAY("%d %d %d;", no, (int)match[1].rm_so, (int)match[1].rm_eo);
	regfree(&re);
	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	time_t when = mktime(&tm);
	strftime(buf, sizeof buf, "%Y-%m-%d %A %j", localtime(&when));
	SAY("%s %lld;", buf, (long long)timegm(&tm));
	size_t letters = mbstowcs(wide, "wide text", 32);
	SAY("%zu %d;", letters, wcscmp(wide, L"wide text"));
	void *p = malloc(1000), *q = calloc(10, 30), *r = NULL;
	memset(p, 'a', 1000);
	p = realloc(p, 100000);
	SAY("%d %d %d %d;", ((char *)p)[999], ((char *)q)[299], posix_memalign(&r, 4096, 10), (int)((size_t)r % 4096));
	free(p), free(q), free(r);
	int left = setjmp(jump);
	SAY("%d;", left);
	if (left < 3) longjmp(jump, left + 1);
	pthread_create(&t, NULL, in_thread, "from a thread");
	pthread_join(t, &joined);
	SAY("%s;", joined ? (char *)joined : "none");
	free(joined);
	FILE *f = tmpfile();
	fprintf(f, "%5d|%-5s|%08.3f\n", 42, "ab", 3.14159);
	rewind(f);
	int a = 0, read = fscanf(f, "%d", &a);
	SAY("%d %d ", read, a);
	SAY("%s;", fgets(buf, sizeof buf, f));
	fclose(f);
	DIR *d = opendir("/proc/self");
	unsigned entries = 0;
	for (struct dirent *de; (de = readdir(d));) entries += !strcmp(de->d_name, "maps");
	closedir(d);
	srand(42);
	SAY("%u %d %ld %s", entries, rand(), labs(-5), setlocale(LC_ALL, NULL));
#undef SAY
}

struct patched { uint64_t at; uint8_t old[ENTRY_JUMP], new[ENTRY_JUMP]; };
static struct patched *patched;
static size_t npatched;
static struct { uint64_t bias, text, text_end; } libc;

static int find_libc(struct dl_phdr_info *o, size_t size, void *arg)
{
	(void)size, (void)arg;
	if (!strstr(o->dlpi_name, "/libc.so.6")) return 0;
	libc.bias = o->dlpi_addr;
	for (int i = 0; i < o->dlpi_phnum; i++)
		if (o->dlpi_phdr[i].p_type == PT_LOAD && o->dlpi_phdr[i].p_flags & PF_X) {
			libc.text = o->dlpi_addr + o->dlpi_phdr[i].p_vaddr;
			libc.text_end = libc.text + o->dlpi_phdr[i].p_memsz;
		}
	return 1;
}

/* Without a call of libc, which is being changed. */
static void store(int restore)
{
	for (size_t i = 0; i < npatched; i++) {
		volatile uint8_t *to = (volatile uint8_t *)patched[i].at;
		for (int k = 0; k < ENTRY_JUMP; k++) to[k] = restore ? patched[i].old[k] : patched[i].new[k];
	}
}

/* Each function once, whatever its names. */
static void plan_libc(uint8_t *trampolines, size_t max)
{
	int fd = open(library[0].path, O_RDONLY);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);

	for (Elf_Scn *s = NULL; (s = elf_nextscn(elf, s));) {
		GElf_Shdr h;
		gelf_getshdr(s, &h);
		for (size_t i = 0; h.sh_type == SHT_DYNSYM && i < h.sh_size / h.sh_entsize && npatched < max; i++) {
			GElf_Sym sym;
			struct entry_plan p;
			struct err e;
			int twice = 0;
			gelf_getsym(elf_getdata(s, NULL), (int)i, &sym);
			uint64_t at = libc.bias + sym.st_value, tramp = (uint64_t)trampolines + npatched * ENTRY_CODE_MAX;
			if (GELF_ST_TYPE(sym.st_info) != STT_FUNC || !sym.st_size || at < libc.text || at + sym.st_size > libc.text_end) continue;
			/* the hook is the original itself, so that any kind of function can be hooked */
			if (entry_plan(&p, at, (void *)at, (size_t)(libc.text_end - at) < 65536 ? (size_t)(libc.text_end - at) : 65536, sym.st_size, tramp, tramp, &e)) continue;
			for (size_t k = 0; k < npatched && !twice; k++) twice = patched[k].at < p.address + ENTRY_JUMP && p.address < patched[k].at + ENTRY_JUMP;
			if (twice) continue;
			memcpy((void *)tramp, p.code, p.code_size);
			struct patched *one = &patched[npatched++];
			one->at = p.address;
			memcpy(one->old, p.old, ENTRY_JUMP);
			memcpy(one->new, p.new, ENTRY_JUMP);
		}
	}
	elf_end(elf);
	close(fd);
}

static void executed(void)
{
	enum { MAX = 4096 };
	static struct patched all[MAX];
	static char before[4096], during[4096], after[4096];
	size_t page = 4096, bytes = (MAX * ENTRY_CODE_MAX + page - 1) / page * page;
	struct maps maps;
	struct err e;

	patched = all;
	dl_iterate_phdr(find_libc, NULL);
	maps_read(&maps, getpid(), &e);
	uint64_t at = entry_room(&maps, libc.bias, libc.text_end + (4 << 20), bytes);
	maps_free(&maps);
	uint8_t *trampolines = mmap((void *)at, bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (!ok(at && trampolines == (uint8_t *)at, "room for trampolines beside libc")) return;
	work(before, sizeof before);
	work(after, sizeof after);
	ok(!strcmp(before, after) && strlen(before) > 200, "what libc does, twice the same");
	if (strcmp(before, after)) printf("# %s\n# %s\n", before, after);
	plan_libc(trampolines, MAX);
	uint64_t text = libc.text / page * page;
	if (!ok(npatched > 1500 && !mprotect((void *)text, libc.text_end - text, PROT_READ | PROT_WRITE | PROT_EXEC), "%zu functions of libc", npatched)) return;
	store(0);
	work(during, sizeof during);
	store(1);
	mprotect((void *)text, libc.text_end - text, PROT_READ | PROT_EXEC);
	ok(!strcmp(before, during), "with a jump at the entry of each they do the same");
	if (strcmp(before, during)) printf("# %s\n# %s\n", before, during);
	work(after, sizeof after);
	ok(!strcmp(before, after), "and after the jumps are gone");
}

int main(void)
{
	by_hand();
	room();
	for (unsigned i = 0; i < sizeof library / sizeof *library; i++) plan_library(library[i].path, library[i].refused);
	executed();
	return done();
}
