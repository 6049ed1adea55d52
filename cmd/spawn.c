/* spawn.c: see spawn.h. */
#include "cmd/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/target/err.h"

/* In the child. The pipe's other end closes when the parent is gone. */
static void become(int go, int failed, char **argv)
{
	char c;
	int sys;

	if (read(go, &c, 1) != 1) _exit(SPAWN_NOT_FOUND);
	execvp(argv[0], argv);
	sys = errno;
	if (write(failed, &sys, sizeof sys) != sizeof sys) _exit(SPAWN_NOT_FOUND);
	_exit(sys == ENOENT || sys == ENOTDIR ? SPAWN_NOT_FOUND : SPAWN_NOT_EXECUTABLE);
}

int spawn_held(struct spawn *s, char **argv, struct err *e)
{
	int go[2], failed[2];

	if (pipe2(go, O_CLOEXEC)) return err_sys(e, errno, "starting %s", argv[0]);
	if (pipe2(failed, O_CLOEXEC)) {
		int sys = errno;
		close(go[0]);
		close(go[1]);
		return err_sys(e, sys, "starting %s", argv[0]);
	}
	s->pid = fork();
	if (!s->pid) {
		close(go[1]);
		close(failed[0]);
		become(go[0], failed[1], argv);
	}
	int sys = errno;
	close(go[0]);
	close(failed[1]);
	s->go = go[1];
	s->failed = failed[0];
	if (s->pid > 0) return 0;
	close(s->go);
	close(s->failed);
	return err_sys(e, sys, "starting %s", argv[0]);
}

int spawn_go(struct spawn *s, const char *name, struct err *e)
{
	int sys = 0, status;

	if (write(s->go, "", 1) != 1) sys = errno;
	close(s->go);
	if (!sys && read(s->failed, &sys, sizeof sys) != sizeof sys) sys = 0;
	close(s->failed);
	if (!sys) return 0;
	status = spawn_wait(s);
	err_sys(e, sys, "starting %s", name);
	return status;
}

int spawn_wait(struct spawn *s)
{
	int status = 0;

	while (waitpid(s->pid, &status, 0) < 0)
		if (errno != EINTR) return 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void spawn_drop(struct spawn *s)
{
	close(s->go);
	close(s->failed);
	spawn_wait(s);
}
