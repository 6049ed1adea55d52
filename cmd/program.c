/* program.c: see program.h. */
#include "cmd/program.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/target/xalloc.h"

int program_is(const char *file)
{
	struct stat st;

	return !stat(file, &st) && S_ISREG(st.st_mode) && !access(file, X_OK);
}

char *program_find(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/')) return xstrdup(name);
	if (!path) path = "/bin:/usr/bin";
	for (;; path++) {
		size_t n = strcspn(path, ":");
		char *file = n ? xasprintf("%.*s/%s", (int)n, path, name) : xasprintf("./%s", name);
		if (program_is(file)) return file;
		free(file);
		path += n;
		if (!*path) return NULL;
	}
}
