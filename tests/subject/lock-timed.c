/* lock-timed.c: allocates three blocks and frees them, again and again until killed: of FIRST bytes, of 100, of 300. With FIRST above the sampling
 * rate it is the first that is nearly always sampled, so which of the three are timed tells how calls to be timed are chosen.
 *
 * usage: lock-timed FIRST */
#include <stdlib.h>

int main(int argc, char **argv)
{
	size_t first = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;

	for (;;) {
		void *volatile a = malloc(first), *volatile b = malloc(100), *volatile c = malloc(300);
		free(c);
		free(b);
		free(a);
	}
}
