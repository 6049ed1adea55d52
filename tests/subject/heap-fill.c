/* heap-fill.c: a heap as large as wanted: `heap-fill BYTES SIZE` makes live objects of SIZE bytes, all written to, until they are BYTES,
 * with a freed one behind every third; says "ready" and waits for the end of its input. With a third argument it replaces objects
 * meanwhile, for so many milliseconds after each line of its input, and prints how many it replaced. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	char byte;

	if (argc < 3) return 2;
	size_t bytes = strtoull(argv[1], NULL, 10), size = strtoull(argv[2], NULL, 10), n = bytes / size, kept = 0;
	char **p = malloc(n * sizeof *p), *hole = NULL;
	for (size_t i = 0; i < n; i++) {
		p[i] = memset(malloc(size), 1, size);
		if (i % 3 == 2) {
			free(hole);
			/* never two of them side by side */
			hole = malloc(size);
			kept++;
		}
	}
	fprintf(stderr, "%zu objects, %zu holes\n", n, kept);
	if (write(1, "ready\n", 6) != 6) return 1;
	while (read(0, &byte, 1) > 0) {
		double end = argc > 3 ? now() + atof(argv[3]) : 0;
		unsigned long done = 0, i = 1;
		while (argc > 3 && (done % 1024 || now() < end)) {
			i = (i * 6364136223846793005ul + 1442695040888963407ul);
			char **q = &p[(i >> 20) % n];
			free(*q);
			(*q = malloc(size))[0] = 1;
			done++;
		}
		printf("%lu\n", done);
		fflush(stdout);
	}
	return 0;
}
