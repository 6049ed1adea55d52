/* program.c: see program.h. */
#include "cmd/program.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/target/xalloc.h"

char *program_find(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/')) return xstrdup(name);
	if (!path) path = "/bin:/usr/bin";
	for (;; path++) {
		size_t n = strcspn(path, ":");
		char *file = n ? xasprintf("%.*s/%s", (int)n, path, name) : xasprintf("./%s", name);
		if (!access(file, X_OK)) return file;
		free(file);
		path += n;
		if (!*path) return NULL;
	}
}
