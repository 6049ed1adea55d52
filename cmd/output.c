/* output.c: see output.h. */
#include "cmd/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

int output_open(struct output *o, const char *path, struct err *e)
{
	struct stat st;
	const char *slash = strrchr(path, '/');
	int fd, dir = slash ? (int)(slash - path) + 1 : 0;

	*o = (struct output){ .path = xstrdup(path) };
	if (!strcmp(path, "-")) {
		o->file = stdout;
		return 0;
	}
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		if (!(o->file = fopen(path, "we"))) return err_sys(e, errno, "opening %s", path);
		return 0;
	}
	o->beside = xasprintf("%.*s.%s.XXXXXX", dir, path, path + dir);
	if ((fd = mkostemp(o->beside, O_CLOEXEC)) < 0) {
		int sys = errno;
		free(o->beside);
		o->beside = NULL;
		return err_sys(e, sys, "creating a file beside %s (another place: -o FILE)", path);
	}
	o->file = fdopen(fd, "w");
	return o->file ? 0 : err_sys(e, errno, "writing %s", path);
}

int output_commit(struct output *o, struct err *e)
{
	int bad = ferror(o->file), sys = 0;

	if (o->file == stdout) {
		if (fflush(stdout) || bad) return err_sys(e, errno, "writing to standard output");
		o->file = NULL;
		return 0;
	}
	errno = 0;
	if (fflush(o->file) || bad) sys = errno ? errno : EIO;
	if (fclose(o->file) && !sys) sys = errno;
	o->file = NULL;
	if (!sys && o->beside && rename(o->beside, o->path)) sys = errno;
	if (!sys) {
		free(o->beside);
		o->beside = NULL;
		return 0;
	}
	err_sys(e, sys, "writing %s", o->path);
	output_close(o);
	return -1;
}

void output_close(struct output *o)
{
	if (o->file && o->file != stdout) fclose(o->file);
	if (o->beside) unlink(o->beside);
	free(o->beside);
	free(o->path);
	*o = (struct output){ 0 };
}
