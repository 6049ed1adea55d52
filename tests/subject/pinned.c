/* pinned.c: a program that locks its memory. "all": and all that it will ever map, "none", "page": one page; with "nobody" it gives its privileges up
 * before, so that it has a limit. Says "ready"; each byte of its input makes it keep 100 blocks of 1000 bytes more and say "kept". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *kept[1 << 16];
static unsigned n;

__attribute__((noinline)) static void keep(void)
{
	for (int i = 0; i < 100 && n < sizeof kept / sizeof *kept; i++) memset(kept[n++] = malloc(1000), 1, 1000);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "none";
	int bad = 0;
	char c;

	if (argc > 2 && !strcmp(argv[2], "nobody")) bad = setgid(65534) || setuid(65534);
	if (!strcmp(what, "all")) bad |= mlockall(MCL_CURRENT | MCL_FUTURE);
	if (!strcmp(what, "page")) bad |= mlock(kept, 4096);
	if (bad) return perror("pinned"), 1;
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) == 1) {
		keep();
		puts("kept");
		fflush(stdout);
	}
	return 0;
}
