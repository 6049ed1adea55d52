/* mem.c: the sources of a target's bytes: a fixture, ourselves, a child; short reads, holes, the end of the address space. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/mem.h"

static int count, failed;

static void ok(int good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++count, what);
	failed |= !good;
}

static void fixture(void)
{
	struct err e;
	char bytes[100], buf[200];
	for (int i = 0; i < 100; i++) bytes[i] = (char)i;
	struct mem *m = mem_open_fixture(0x1000, bytes, sizeof bytes);
	ok(!mem_read(m, 0x1000, buf, 100, &e) && !memcmp(buf, bytes, 100), "fixture: all of it");
	ok(!mem_read(m, 0x1063, buf, 1, &e) && buf[0] == 99, "fixture: the last byte");
	ok(mem_read(m, 0x1063, buf, 2, &e) == -1 && strstr(e.text, "0x1064"), "fixture: one byte too many names the address");
	ok(mem_read(m, 0xfff, buf, 1, &e) == -1, "fixture: below");
	ok(mem_read_some(m, 0x1032, buf, 200) == 50 && buf[0] == 50, "fixture: as much as there is");
	ok(mem_read_some(m, 0x1064, buf, 10) == 0, "fixture: nothing there");
	ok(mem_read(m, UINT64_MAX - 3, buf, 16, &e) == -1 && mem_read_some(m, UINT64_MAX - 3, buf, 16) == 0,
	   "fixture: a range that wraps around");
	mem_close(m);
	mem_close(NULL);
}

static void process(pid_t pid, char *page, size_t size, const char *who)
{
	struct err e = {0};
	char what[100], *buf = malloc(3 * size);
	struct mem *m = mem_open_pid(pid, &e);
	snprintf(what, sizeof what, "%s: opens", who);
	ok(m != NULL, what);
	if (!m) { printf("# %s\n", e.text); exit(1); }

	uint64_t at = (uint64_t)(uintptr_t)page;
	snprintf(what, sizeof what, "%s: two pages", who);
	ok(!mem_read(m, at, buf, 2 * size, &e) && !memcmp(buf, page, 2 * size), what);
	snprintf(what, sizeof what, "%s: a range into a hole is refused, and the message names its first byte", who);
	char hole[32];
	snprintf(hole, sizeof hole, "0x%llx", (unsigned long long)(at + 2 * size));
	ok(mem_read(m, at + 100, buf, 2 * size, &e) == -1 && strstr(e.text, hole), what);
	snprintf(what, sizeof what, "%s: as much as there is before a hole", who);
	ok(mem_read_some(m, at + 100, buf, 3 * size) == 2 * size - 100 && !memcmp(buf, page + 100, 2 * size - 100), what);
	snprintf(what, sizeof what, "%s: address 0", who);
	ok(mem_read(m, 0, buf, 8, &e) == -1 && !mem_read_some(m, 0, buf, 8), what);
	mem_close(m);
	free(buf);
}

int main(void)
{
	struct err e;
	puts("1..22");
	fixture();

	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	char *page = mmap(NULL, 3 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < 2 * size; i++) page[i] = (char)(i * 31 + 7);
	munmap(page + 2 * size, size);
	process(getpid(), page, size, "ourselves");

	pid_t child = fork();
	if (!child) for (;;) pause();
	process(child, page, size, "a child");

	uint64_t at = (uint64_t)(uintptr_t)page, v = 0x1122334455667788, got = 0;
	struct mem *m = mem_open_pid(child, &e);
	ok(!mem_write_pid(child, at + 8, &v, sizeof v, &e) && !mem_read(m, at + 8, &got, sizeof got, &e) && got == v,
	   "what is written into a child is read back");
	memcpy(&got, page + 8, sizeof got);
	ok(got != v, "and is not in ourselves");
	ok(mem_write_pid(child, at + 2 * size - 4, &v, sizeof v, &e) == -1, "writing into a hole is refused");

	kill(child, SIGKILL);
	siginfo_t info;
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	struct mem *none = mem_open_pid(child, &e);
	ok(!none && e.kind == ERR_GONE, "a zombie has no memory");
	waitpid(child, NULL, 0);
	ok(mem_read(m, at, &got, sizeof got, &e) == -1 && e.kind == ERR_GONE, "a reader whose process went away says so");
	mem_close(m);
	return failed;
}
