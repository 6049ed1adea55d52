/* symbol.c: the parts of inspect/symbol, and the symbolizer on ourselves. With arguments it is the tool of tests/cli/symbols:
 *   symbol FILE BUILDID|- SYSROOT|-   frames of addresses of a file      symbol -p PID   frames of addresses of a process
 * addresses on stdin, out come for each: the address, and per frame the linkage name, file:line, the readable name. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/symbol/cache.h"
#include "inspect/symbol/image.h"
#include "inspect/symbol/names.h"
#include "inspect/symbol/perfmap.h"
#include "inspect/symbol/root.h"
#include "inspect/symbol/span.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/err.h"
#include "inspect/target/maps.h"
#include "inspect/target/mem.h"

static int count, failed;

static void ok(int good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++count, what);
	failed |= !good;
}

/* ---- the tool ---- */

static unsigned unhex(const char *hex, uint8_t *out, unsigned max)
{
	unsigned n = 0, v;
	for (; n < max && sscanf(hex, "%2x", &v) == 1; hex += 2) out[n++] = (uint8_t)v;
	return n;
}

static int tool(int argc, char **argv)
{
	struct symbol_frame f[128];
	struct err e;
	struct symbol_options o = {0};
	struct symbol_module m = {.end = 1ull << 40, .path = argv[1]};
	unsigned long long addr;
	int live = !strcmp(argv[1], "-p");
	if (argc < (live ? 3 : 4)) return 2;
	if (live) o.pid = atoi(argv[2]);
	else if (*argv[2] != '-') m.build_id_size = unhex(argv[2], m.build_id, sizeof m.build_id);
	if (!live && *argv[3] != '-') o.sysroot = argv[3];
	struct symbolizer *s = symbol_open(&m, live ? 0 : 1, &o, &e);
	while (scanf("%llx", &addr) == 1) {
		size_t n = symbol_lookup(s, addr, f, 128);
		const struct symbol_module *in = symbol_module_of(s, addr);
		printf("0x%llx %s\n", addr, in ? in->path : "-");
		for (size_t i = 0; i < n; i++)
			printf("%s\n%s:%u\n%s\n", *f[i].linkage ? f[i].linkage : "??", *f[i].file ? f[i].file : "??", f[i].line, f[i].function);
	}
	symbol_close(s);
	return 0;
}

/* ---- the parts ---- */

static void spans(void)
{
	struct spans s = {0};
	const struct span *at;
	for (uint32_t i = 0; i < 1000; i++) spans_add(&s, 10 * i, 10 * i + 10, i);
	spans_add(&s, 500, 2500, 5000);
	spans_add(&s, 500, 700, 4000);
	spans_add(&s, 7, 7, 9999);
	spans_sort(&s);
	int all = 1;
	for (uint64_t a = 0; a < 10000; a++) all &= (at = spans_find(&s, a, NULL)) && at->start <= a && a < at->end;
	ok(all && s.n == 1002 && !spans_find(&s, 10000, NULL) && !spans_find(&s, UINT64_MAX, NULL), "spans: each address in its own");
	at = spans_find(&s, 503, NULL);
	int first = at && at->id == 5000;
	at = spans_find(&s, 503, at);
	int second = at && at->id == 4000;
	at = spans_find(&s, 503, at);
	ok(first && second && at && at->id == 50 && !spans_find(&s, 503, at), "spans: of equal starts the last id first");
	at = spans_find(&s, 2499, spans_find(&s, 2499, NULL));
	ok(at && at->id == 5000, "spans: one that began long before");
	spans_free(&s);
}

static void demangling(void)
{
	static const struct { const char *mangled, *plain; } known[] = {
		{"malloc", "malloc"}, {"_start", "_start"}, {"", ""}, {"_Z", "_Z"}, {"_Zzzzz", "_Zzzzz"}, {"_R", "_R"},
		{"_ZN4deep3sumERKSt6vectorIiSaIiEE", "deep::sum"},
		{"_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<int, std::allocator<int> >::push_back"},
		{"_Znwm", "operator new"},
		{"_ZNSs6appendEPKc", "std::string::append"},
		{"_ZN3foo3barILi3EEEvT_.part.0", "foo::bar<3>"},
		{"_ZN4core3fmt5Write9write_str17h0123456789abcdefE", "core::fmt::Write::write_str"},
		{"_ZN66_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..ops..drop..Drop$GT$4drop17h00112233445566aaE",
		 "<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop"},
		{"_RNvCs1234_7mycrate3foo", "mycrate::foo"},
		{"_RNvMs_NtCs1234_7mycrate3barNtB4_3Baz3new", "<mycrate::bar::Baz>::new"},
	};
	struct names *n = names_new();
	int same = 1;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		const char *got = names_readable(n, names_keep(n, known[i].mangled));
		if (strcmp(got, known[i].plain)) printf("# %s: got %s, want %s\n", known[i].mangled, got, known[i].plain), same = 0;
	}
	ok(same, "names: C, C++, Rust legacy and v0, and what only looks mangled");
	ok(names_keep(n, "abc") == names_keep(n, "abc") && names_keep(n, "abc") != names_keep(n, "abd"), "names: kept once");
	ok(!strcmp(names_keep(n, "a\033[2J\nb"), "a?[2J?b"), "names: without control characters");
	char *big = malloc(1 << 20), text[32];
	memset(big, 'x', 1 << 20);
	big[(1 << 20) - 1] = 0;
	ok(strlen(names_keep(n, big)) < 1 << 15, "names: bounded");
	free(big);
	const char *kept[20000];
	for (int i = 0; i < 20000; i++) snprintf(text, sizeof text, "name%d", i), kept[i] = names_keep(n, text);
	same = 1;
	for (int i = 0; i < 20000; i++) snprintf(text, sizeof text, "name%d", i), same &= kept[i] == names_keep(n, text);
	ok(same, "names: many");
	names_free(n);
}

static void put(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) < 0) exit(1);
	close(fd);
}

static int is(const char *got, const char *want)
{
	return want ? got && !strcmp(got, want) : !got;
}

static void jit_maps(const char *dir)
{
	char path[300], old[300];
	snprintf(path, sizeof path, "%s/tmp", dir);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/tmp/perf-77.map", dir);
	int root = root_open(dir);
	struct perfmap *p = perfmap_open(root, 77, getuid());
	ok(is(perfmap_find(p, 0x1000), NULL), "perf map: none yet");
	put(path, "1000 20 LazyCompile:*one /a b.js:1\n2000 10 two\nnonsense\n3000 zz x\n4000 0 empty\nffffffffffffff00 1000 wrap\n50", O_TRUNC);
	ok(is(perfmap_find(p, 0x101f), "LazyCompile:*one /a b.js:1") && is(perfmap_find(p, 0x2000), "two") && is(perfmap_find(p, 0x1020), NULL) &&
	   is(perfmap_find(p, 0x3000), NULL) && is(perfmap_find(p, 0x4000), NULL) && is(perfmap_find(p, 0x10), NULL), "perf map: lines, and what is none");
	put(path, "00 8 half\n", O_APPEND);
	ok(is(perfmap_find(p, 0x5007), "half"), "perf map: it grew, in the middle of a line");
	put(path, "1010 10 newer\n6000 1 x\n", O_APPEND);
	ok(is(perfmap_find(p, 0x6000), "x") && is(perfmap_find(p, 0x1018), "newer") && is(perfmap_find(p, 0x1008), "LazyCompile:*one /a b.js:1"),
	   "perf map: later lines win");
	put(path, "1000 20 fresh\n", O_TRUNC);
	ok(is(perfmap_find(p, 0x9999), NULL) && is(perfmap_find(p, 0x2000), NULL) && is(perfmap_find(p, 0x1000), "fresh"), "perf map: replaced by a shorter one");
	perfmap_close(p);

	snprintf(old, sizeof old, "%s/outside", dir);
	put(old, "7000 10 outside\n", O_TRUNC);
	unlink(path);
	p = perfmap_open(root, 77, getuid());
	ok(!mkfifo(path, 0600) && is(perfmap_find(p, 0x7000), NULL), "perf map: a FIFO is not waited for");
	unlink(path);
	ok(!symlink("../../../../../../../../outside", path) && is(perfmap_find(p, 0x7000), "outside"), "perf map: a link stays inside the root");
	perfmap_close(p);
	close(root);
}

static void disk_cache(const char *dir)
{
	static const uint8_t id[4] = {0xab, 0xcd, 0xef, 1};
	struct names *n = names_new();
	struct symbol_frame f[3] = {0}, got[3];
	char path[300];
	setenv("XDG_CACHE_HOME", dir, 1);
	for (int i = 0; i < 3; i++)
		f[i] = (struct symbol_frame){names_keep(n, "f"), names_keep(n, "_Z1fv"), names_keep(n, "/x.c"), 10u + (unsigned)i, 9, i < 2};
	struct cache *c = cache_open(id, sizeof id, 42);
	ok(c && cache_find(c, 0x10, got, 3, n) == -1, "cache: empty at first");
	cache_add(c, 0x20, f, 3);
	cache_add(c, 0x10, f + 1, 1);
	cache_add(c, 0x30, NULL, 0);
	cache_close(c, n);
	c = cache_open(id, sizeof id, 42);
	ok(cache_find(c, 0x20, got, 3, n) == 3 && got[1].line == 11 && got[1].inlined && !got[2].inlined && !strcmp(got[2].linkage, "_Z1fv") &&
	   cache_find(c, 0x10, got, 3, n) == 1 && cache_find(c, 0x30, got, 3, n) == 0 && cache_find(c, 0x31, got, 3, n) == -1, "cache: read back");
	cache_add(c, 0x40, f, 2);
	cache_close(c, n);
	c = cache_open(id, sizeof id, 42);
	ok(cache_find(c, 0x20, got, 3, n) == 3 && cache_find(c, 0x40, got, 3, n) == 2, "cache: grows");
	cache_close(c, n);
	c = cache_open(id, sizeof id, 43);
	ok(c && cache_find(c, 0x20, got, 3, n) == -1, "cache: of other files");
	cache_close(c, n);

	snprintf(path, sizeof path, "%s/alloctop/symbols/abcdef01-%016x", dir, 42);
	char whole[4096];
	int fd = open(path, O_RDONLY), bad = 0, rounds = 0;
	ssize_t size = read(fd, whole, sizeof whole);
	close(fd);
	for (ssize_t at = 0; at < size; at++, rounds++) {
		char copy[4096];
		memcpy(copy, whole, (size_t)size);
		copy[at] ^= 0x41;
		fd = open(path, O_WRONLY | O_TRUNC);
		if (write(fd, copy, (size_t)size) != size) exit(1);
		close(fd);
		c = cache_open(id, sizeof id, 42);
		bad += cache_find(c, 0x20, got, 3, n) != -1;
		cache_close(c, n);
	}
	/* the reserved word of the head alone is not checked */
	ok(rounds > 100 && bad <= 4, "cache: damaged in any byte it is not believed");
	fd = open(path, O_WRONLY | O_TRUNC);
	if (write(fd, whole, (size_t)size) != size) exit(1);
	fchmod(fd, 0666);
	close(fd);
	c = cache_open(id, sizeof id, 42);
	ok(cache_find(c, 0x20, got, 3, n) == -1, "cache: not believed when others may write it");
	cache_close(c, n);
	snprintf(path, sizeof path, "%s/alloctop", dir);
	chmod(path, 0777);
	ok(!cache_open(id, sizeof id, 42), "cache: not used in a directory that others may write to");
	chmod(path, 0700);
	names_free(n);
}

/* ---- ourselves, alive ---- */

__attribute__((noinline)) static int landmark(int x)
{
	return x * 3 + count;
}
enum { LANDMARK_LINE = __LINE__ - 4 };

static void ourselves(void)
{
	struct symbol_options o = {.pid = getpid()};
	struct symbol_frame f[8];
	struct err e;
	struct symbolizer *s = symbol_open(NULL, 0, &o, &e);
	uint64_t at = (uint64_t)(uintptr_t)landmark;
	size_t n = symbol_lookup(s, at, f, 8);
	ok(n == 1 && !strcmp(f[0].function, "landmark") && strstr(f[0].file, "tests/unit/symbol.c") && f[0].start_line == LANDMARK_LINE &&
	   f[0].line >= LANDMARK_LINE && f[0].line < LANDMARK_LINE + 4 && landmark(0) == count, "live: a static function of ours, with its line");
	const struct symbol_module *m = symbol_module_of(s, at);
	ok(m && m->build_id_size == 20 && m->start <= at && at < m->end, "live: the module has a build ID");

	void *p = dlsym(RTLD_DEFAULT, "strdup");
	n = symbol_lookup(s, (uint64_t)(uintptr_t)p, f, 8);
	ok(n && strstr(f[n - 1].function, "strdup"), "live: a function of libc");

	struct maps maps;
	int vdso = 0;
	maps_read(&maps, getpid(), &e);
	for (size_t i = 0; i < maps.n; i++)
		for (uint64_t a = maps.map[i].start; !strcmp(maps.map[i].path, "[vdso]") && a < maps.map[i].end; a += 16)
			vdso |= symbol_lookup(s, a, f, 8) == 1 && strstr(f[0].function, "clock_gettime");
	maps_free(&maps);
	ok(vdso, "live: the vdso");

	char *jit = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	at = (uint64_t)(uintptr_t)jit;
	ok(!symbol_lookup(s, at, f, 8) && (m = symbol_module_of(s, at)) && !strcmp(m->path, "[jit]"), "live: code without a file, mapped since");
	char path[64], line[64];
	snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
	snprintf(line, sizeof line, "%llx 10 made_up\n", (unsigned long long)at);
	put(path, line, O_EXCL);
	ok(symbol_lookup(s, at + 15, f, 8) == 1 && !strcmp(f[0].function, "made_up") && !symbol_lookup(s, at + 16, f, 8), "live: its name, once there is one");
	unlink(path);
	ok(!symbol_lookup(s, 0, f, 8) && !symbol_lookup(s, UINT64_MAX, f, 8) && !symbol_module_of(s, 0), "live: no such address");
	symbol_close(s);
}

/* What is left when neither a file nor the kernel's link to it may be opened. */
static void from_memory(const char *dir)
{
	struct symbol_options live = {.pid = getpid()}, dead = {.pid = 0};
	struct symbol_frame f[8];
	struct err e;
	char path[300], buf[4096];
	uint64_t at = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "strdup");
	struct symbolizer *s = symbol_open(NULL, 0, &live, &e);
	struct symbol_module m = *symbol_module_of(s, at), head = {.start = m.start, .path = ""};
	struct mem *mem = mem_open_pid(getpid(), &e);
	ok(!image_head(mem, &head) && head.bias == m.bias && head.build_id_size == 20, "memory: head of libc");
	snprintf(path, sizeof path, "%s/image", dir);
	int from = image_fd(mem, &m), to = open(path, O_WRONLY | O_CREAT, 0600);
	lseek(from, 0, SEEK_SET);
	for (ssize_t r; (r = read(from, buf, sizeof buf)) > 0;) if (write(to, buf, (size_t)r) != r) exit(1);
	close(from);
	close(to);
	m.path = path;
	struct symbolizer *d = symbol_open(&m, 1, &dead, &e);
	size_t n = symbol_lookup(d, at, f, 8);
	ok(n && strstr(f[n - 1].function, "strdup"), "memory: names of libc from what is loaded of it");
	ok(!symbol_lookup(d, m.end + 4096, f, 8), "memory: outside of it");
	symbol_close(d);
	struct symbol_module stack = {.start = (uint64_t)(uintptr_t)buf & ~4095ull, .path = ""};
	ok(image_head(mem, &stack) == -1 && image_fd(mem, &stack) == -1, "memory: no object there");
	mem_close(mem);
	symbol_close(s);
}

int main(int argc, char **argv)
{
	if (argc > 1) return tool(argc, argv);
	char dir[] = "/tmp/symbol-test.XXXXXX", command[100];
	if (!mkdtemp(dir)) return 1;
	printf("1..33\n");
	spans();
	demangling();
	jit_maps(dir);
	disk_cache(dir);
	ourselves();
	from_memory(dir);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command) ? 1 : failed;
}
