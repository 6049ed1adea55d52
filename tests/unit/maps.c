/* maps.c: the kernel's format, its oddities, hostile text, and our own address space. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/maps.h"

static int count, failed;

static void ok(int good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++count, what);
	failed |= !good;
}

static const char lines[] =
	"55d0a0000000-55d0a0001000 r--p 00000000 fe:01 1234       /usr/bin/with space\n"
	"55d0a0001000-55d0a0003000 r-xp 00001000 fe:01 1234       /usr/bin/replaced (deleted)\n"
	"55d0a0004000-55d0a0005000 rw-p 00000000 00:00 0          [heap]\n"
	"7f0000000000-7f0000100000 rw-s 00000000 00:01 77         /memfd:alloctop (deleted)\n"
	"7f0000100000-7f0000101000 ---p 00000000 00:00 0 \n"
	"7f0000101000-7f0000102000 r--p 00000000 08:10 18446744073709551615 /tmp/a\\012b\n"
	"7f0000101000-7f0000102000 r--p 00000000 08:10 5 /tmp/again\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]";

static void formats(void)
{
	struct maps m;
	struct err e;
	int r = maps_parse(&m, lines, sizeof lines - 1, &e);
	ok(!r && m.n == 7, "every line but a repeated one");
	if (r || m.n != 7) { printf("# %s\n", r ? e.text : "wrong count"); exit(1); }
	ok(m.map[0].start == 0x55d0a0000000 && m.map[0].end == 0x55d0a0001000 && m.map[0].read && !m.map[0].write && !m.map[0].exec &&
	   !m.map[0].shared && m.map[0].dev_major == 0xfe && m.map[0].dev_minor == 1 && m.map[0].inode == 1234 &&
	   !strcmp(m.map[0].path, "/usr/bin/with space") && !m.map[0].deleted, "all fields of a line");
	ok(m.map[1].exec && m.map[1].offset == 0x1000 && m.map[1].deleted && !strcmp(m.map[1].path, "/usr/bin/replaced"),
	   "a deleted file");
	ok(m.map[3].shared && m.map[3].deleted && !strcmp(m.map[3].path, "/memfd:alloctop"), "a memfd");
	ok(!m.map[4].read && !*m.map[4].path, "anonymous memory has an empty path");
	ok(!strcmp(m.map[5].path, "/tmp/a\nb") && m.map[5].inode == UINT64_MAX, "an escaped newline");
	ok(maps_find(&m, 0x55d0a0000000) == &m.map[0] && maps_find(&m, 0x55d0a0000fff) == &m.map[0] &&
	   maps_find(&m, 0x55d0a0001000) == &m.map[1] && maps_find(&m, 0xffffffffff600fff) == &m.map[6], "find: first and last bytes");
	ok(!maps_find(&m, 0) && !maps_find(&m, 0x55d0a0003000) && !maps_find(&m, UINT64_MAX), "find: holes");
	maps_free(&m);
	ok(!maps_parse(&m, "", 0, &e) && !m.n && !maps_find(&m, 1), "no lines at all: a kernel thread");
	maps_free(&m);
}

static void hostile(void)
{
	static const char *const bad[] = {
		"\n", "x", "1000-\n", "2000-1000 r--p 0 0:0 0\n", "1000-2000 r--\n", "1000-2000 r--p 0 0 0\n", "1000-2000 r--p\n",
		"1000-2000 r--p 0 0:0 \n", "11111111111111111-2 r--p 0 0:0 0\n", "1000-2000 r--p 0 0:0 0x\n", "1000 2000 r--p 0 0:0 0\n",
	};
	struct maps m;
	struct err e;
	int refused = 0, n = sizeof bad / sizeof *bad;
	for (int i = 0; i < n; i++) {
		if (maps_parse(&m, bad[i], strlen(bad[i]), &e) == -1) refused++;
		else printf("# taken: %s\n", bad[i]);
	}
	ok(refused == n, "malformed lines are refused");
	int whole = 0;
	for (size_t i = 0; i < sizeof lines; i++)
		if (!maps_parse(&m, lines, i, &e)) { whole += m.n < 8; maps_free(&m); }
	ok(whole > 0, "cut at every byte: refused or short, never worse");
}

static void live(void)
{
	struct maps m;
	struct err e;
	long size = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int local = 0;
	if (maps_read(&m, getpid(), &e)) { printf("# %s\n", e.text); ok(0, "our own maps"); return; }
	const struct map *f = maps_find(&m, (uint64_t)(uintptr_t)p);
	ok(f && f->read && !f->write && f->shared, "our own: a shared page");
	f = maps_find(&m, (uint64_t)(uintptr_t)ok);
	ok(f && f->exec && f->inode && *f->path == '/', "our own: the text");
	f = maps_find(&m, (uint64_t)(uintptr_t)&local);
	ok(f && !strcmp(f->path, "[stack]"), "our own: the stack");
	int ascending = 1;
	for (size_t i = 1; i < m.n; i++) ascending &= m.map[i].start >= m.map[i - 1].end;
	ok(m.n > 5 && ascending, "ascending, without overlap");
	maps_free(&m);
	ok(maps_read(&m, 0x7ffffffe, &e) == -1 && e.kind == ERR_GONE, "no such process");
}

/* b has what a has, but for what the kernel shows in text alone. */
static int same(const struct maps *a, const struct maps *b)
{
	size_t n = a->n && !strcmp(a->map[a->n - 1].path, "[vsyscall]") ? a->n - 1 : a->n;
	if (n != b->n) { printf("# %zu and %zu mappings\n", n, b->n); return 0; }
	for (size_t i = 0; i < n; i++) {
		const struct map *x = &a->map[i], *y = &b->map[i];
		if (x->start == y->start && x->end == y->end && x->offset == y->offset && x->inode == y->inode && x->dev_major == y->dev_major && x->dev_minor == y->dev_minor &&
		    x->read == y->read && x->write == y->write && x->exec == y->exec && x->shared == y->shared && x->deleted == y->deleted && !strcmp(x->path, y->path)) continue;
		printf("# differ at %llx %s, %s\n", (unsigned long long)x->start, x->path, y->path);
		return 0;
	}
	return 1;
}

/* A child that stands still, with mappings that it did not have at first: two pages of its own, and executable ones behind. */
static void now(void)
{
	struct maps before, text, whole, code, none = { 0 };
	struct err e;
	char byte;
	int to[2], from[2];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (pipe(to) || pipe(from)) exit(1);
	pid_t child = fork();
	if (!child) {
		if (write(from[1], "", 1) < 1 || read(to[0], &byte, 1) < 1) _exit(1);
		char *p = mmap(NULL, 4 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(p + 2 * page, 2 * page, PROT_READ | PROT_EXEC);
		if (write(from[1], &p, sizeof p) < 1 || read(to[0], &byte, 1) < 1) _exit(1);
		_exit(0);
	}
	uint64_t at = 0;
	if (read(from[0], &byte, 1) < 1 || maps_read(&before, child, &e) || write(to[1], "", 1) < 1 || read(from[0], &at, sizeof at) < 8) exit(1);
	ok(!maps_read(&text, child, &e) && !maps_now(&whole, child, MAPS_ALL, &before, &e) && same(&text, &whole), "one by one, they are what the text says");
	maps_free(&whole);
	ok(!maps_now(&whole, child, MAPS_ALL, &none, &e) && same(&text, &whole), "also when no name is known");
	ok(!maps_now(&code, child, MAPS_CODE, &before, &e), "those of code");
	size_t missing = 0;
	for (size_t i = 0; i < whole.n; i++) missing += whole.map[i].exec && !maps_find(&code, whole.map[i].start);
	const struct map *m = maps_find(&code, at), *x = maps_find(&code, at + 2 * page);
	ok(!missing && m && x == m + 1 && m->end == x->start && !m->exec && x->exec, "are all there, and what lies before those that are no file's");
	if (write(to[1], "", 1) < 1) exit(1);
	waitpid(child, NULL, 0);
	maps_free(&before), maps_free(&text), maps_free(&whole), maps_free(&code);
	ok(maps_now(&code, child, MAPS_ALL, &none, &e) == -1 && e.kind == ERR_GONE, "no such process any more");
}

int main(void)
{
	puts("1..21");
	formats();
	hostile();
	live();
	now();
	return failed;
}
