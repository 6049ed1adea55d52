/* musl-heap-bump: a program that allocates and never frees: linked statically with musl it gets the allocator that cannot free.
 * `musl-heap-bump COUNT [SIZE]`: allocates, of several sizes or of one, prints "total BYTES" as that allocator hands them out (each request begins at a multiple of 16), "ready", and
 * waits on stdin. With a libc of its own (.musl) it is a heap without holes, for benchmarks. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *s) { if (write(1, s, strlen(s)) < 0) _exit(1); }

static void say_number(unsigned long n)
{
	char digits[24] = "", *p = digits + sizeof digits - 1;

	do *--p = (char)('0' + n % 10); while (n /= 10);
	say(p);
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000, total = 0, fixed = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	char c;

	for (unsigned long i = 0; i < count; i++) {
		size_t size = fixed ? fixed : 20 + i % 500;
		char *p = malloc(size);
		if (!p) return 2;
		memset(p, 1, size);
		total = ((total + 15) & ~15ul) + size;
	}
	say("total ");
	say_number(total);
	say("\nready\n");
	return read(0, &c, 1) < 0;
}
