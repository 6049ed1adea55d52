/* torture-lib: a library to open and close, or to preload in front of the agent: allocates in its constructor and its destructor. */
/* CFLAGS: -shared -fPIC */
#include <stdlib.h>
#include <string.h>

void *torture_lib_make(int depth, size_t n);
void torture_early_check(void);

static unsigned char *block;

__attribute__((constructor)) static void constructor(void)
{
	block = malloc(700);
	if (block) memset(block, 0x5a, 700);
	for (int i = 0; i < 50; i++) free(strdup("before anybody else"));
}

__attribute__((destructor)) static void destructor(void)
{
	free(block);
	block = NULL;
	for (int i = 0; i < 50; i++) free(strdup("after everybody else"));
}

void *torture_lib_make(int depth, size_t n)
{
	void *p = depth > 0 ? torture_lib_make(depth - 1, n) : malloc(n);
	if (p) memset(p, depth, n);
	return p;
}

void torture_early_check(void)
{
	for (int i = 0; i < 700; i++)
		if (!block || block[i] != 0x5a) abort();
}
