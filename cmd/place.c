/* place.c: see place.h. */
#include "cmd/place.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

#ifndef PREFIX
#define PREFIX "/usr/local"
#endif

char *place_find(const char *verb, const char *file, const char *env, struct err *e)
{
	const char *set = getenv(env);
	char self[PATH_MAX], *found;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash = n > 0 ? (self[n] = 0, strrchr(self, '/')) : NULL;
	int dir = slash ? (int)(slash - self) : 0;
	char *place[] = {
		xasprintf("%.*s/%s", dir, self, file),
		xasprintf("%.*s/../lib/alloctop/%s", dir, self, file),
		xasprintf(PREFIX "/lib/alloctop/%s", file),
		xasprintf(PREFIX "/lib/%s", file),
	};
	size_t places = sizeof place / sizeof *place;

	if (set && *set) {
		found = realpath(set, NULL);
		if (!found) err_sys(e, errno, "%s: finding the agent at %s=%s", verb, env, set);
	} else {
		found = NULL;
		for (size_t i = 0; i < places && !found; i++) found = realpath(place[i], NULL);
		if (!found) err_set(e, ERR_FAIL, "%s: no %s beside %s or in its ../lib/alloctop (name it with %s)", verb, file, self, env);
	}
	for (size_t i = 0; i < places; i++) free(place[i]);
	return found;
}
