/* filtered.c: a program with a seccomp filter of its own, that allocates until its standard input ends. usage: filtered all | noexec: a filter that
 * lets every system call pass, or all but an mmap of executable memory, for which it would be killed. Prints "ready", and "done" at the end. */
/* SUBJECT: no-musl */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(v) BPF_STMT(BPF_RET | BPF_K, v)

int main(int argc, char **argv)
{
	struct sock_filter noexec[] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
		LOAD(args[2]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		RETURN(SECCOMP_RET_ALLOW),
	}, all[] = { RETURN(SECCOMP_RET_ALLOW) };
	int strict = argc > 1 && !strcmp(argv[1], "noexec");
	struct sock_fprog p = { strict ? sizeof noexec / sizeof *noexec : 1, strict ? noexec : all };
	struct pollfd in = { .fd = 0, .events = POLLIN };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p)) return 1;
	puts("ready");
	fflush(stdout);
	while (poll(&in, 1, 5) <= 0)
		for (int i = 0; i < 100; i++) free(strdup("some text"));
	puts("done");
	return 0;
}
