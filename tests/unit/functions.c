/* functions.c: finding allocators' functions: in this very process by exports, in static programs by symbols, and in stripped ones by their
 * code, where the truth is what nm says of the program before it was stripped. */
#include "inspect/attach/functions.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/attach.h"
#include "inspect/attach/loaded.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"
#include "tests/tap.h"

static const char *const names[] = {
	"malloc", "free", "calloc", "memalign", "aligned_alloc", "realloc", "posix_memalign", "__libc_malloc", "__libc_free", "_Znwm", "_ZdlPv",
	"mi_malloc", "mi_free", "mi_new",
};

static const char program[] =
	"#include <stdlib.h>\n#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\n"
	"int main(int argc, char **argv) { void *p = malloc(argc), *q = calloc(argc, 4), *r, *s = aligned_alloc(64, argc * 64);\n"
	"p = realloc(p, 3000); posix_memalign(&r, 128, argc); char *t = strdup(argv[0]); printf(\"%p %p %p %p %p\\n\", p, q, r, s, t); fflush(stdout);\n"
	"free(p); free(q); free(r); free(s); free(t); p = malloc(100); pause(); return p != 0; }\n";

static char dir[] = "/tmp/alloctop-functions-XXXXXX";
static char path[256];

static int shell(const char *fmt, const char *a, const char *b)
{
	char command[1024];

	snprintf(command, sizeof command, fmt, dir, a, b, dir, dir);
	return system(command);
}

/* Built from the same source; 0 when there is no such compiler. */
static int build(const char *compiler, const char *flags)
{
	snprintf(path, sizeof path, "%s/p", dir);
	return !shell("cd %s && %s -O2 -w %s -o p p.c 2>log && nm p >truth && cp p whole", compiler, flags);
}

static uint64_t truth(const char *name)
{
	char line[512], file[256], symbol[256];
	uint64_t found = 0;

	snprintf(file, sizeof file, "%s/truth", dir);
	FILE *f = fopen(file, "r");
	while (f && fgets(line, sizeof line, f)) {
		unsigned long long at;
		char kind;
		if (sscanf(line, "%llx %c %255s", &at, &kind, symbol) == 3 && !strcmp(symbol, name) && strchr("TtWwi", kind)) found = at;
	}
	if (f) fclose(f);
	return found;
}

static pid_t start(struct target *t, struct loadeds *l)
{
	char byte;
	int out[2];
	struct err e;
	if (pipe(out)) return 0;
	pid_t pid = fork();
	if (!pid) {
		dup2(out[1], 1);
		execl(path, path, NULL);
		_exit(127);
	}
	close(out[1]);
	int up = read(out[0], &byte, 1) == 1;
	close(out[0]);
	if (!up || target_open_pid(t, pid, &e)) return 0;
	loaded_read(l, t);
	return pid;
}

static const struct function *named(const struct functions *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->function[i].name, name)) return &f->function[i];
	return NULL;
}

/* Every function of `want` was found where nm says, in the way said; "free=__libc_free": under the first name, where the second is. */
static void expect(const char *what, const char *const *want, enum function_way way)
{
	struct functions f;
	struct target t;
	struct loadeds l;
	pid_t pid = start(&t, &l);
	unsigned good = 0, all = 0;

	if (!pid) {
		ok(0, "%s: starts", what);
		return;
	}
	functions_find(&f, &t, &l, names, sizeof names / sizeof *names);
	for (; want[all]; all++) {
		char name[64];
		snprintf(name, sizeof name, "%.*s", (int)strcspn(want[all], "="), want[all]);
		const struct function *found = named(&f, name);
		uint64_t at = truth(strchr(want[all], '=') ? strchr(want[all], '=') + 1 : want[all]) + l.object[0].bias;
		if (found && found->address == at && found->way == way) good++;
		else printf("# %s: %#llx by %s, is %#llx\n", want[all], found ? (unsigned long long)found->address : 0, found ? functions_way(found->way) : "nothing", (unsigned long long)at);
	}
	ok(good == all, "%s: %u functions found by %s", what, all, functions_way(way));
	if (f.trouble[0]) printf("# %s\n", f.trouble);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	functions_free(&f);
	loaded_free(&l);
	target_close(&t);
}

/* Nothing is found, and why is said. */
static void expect_none(const char *what)
{
	struct functions f;
	struct target t;
	struct loadeds l;
	pid_t pid = start(&t, &l);

	if (!pid) {
		ok(0, "%s: starts", what);
		return;
	}
	functions_find(&f, &t, &l, names, sizeof names / sizeof *names);
	ok(!f.n && f.trouble[0], "%s: refused: %s", what, f.trouble);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	functions_free(&f);
	loaded_free(&l);
	target_close(&t);
}

static void strip(void) { shell("cd %s && strip p", "", ""); }

static void musl(void)
{
	static const char *const all[] = { "malloc", "free", "calloc", "realloc", "aligned_alloc", "posix_memalign", "__libc_malloc", NULL };
	static const char *const by_code[] = { "free=__libc_free", "realloc=__libc_realloc", "aligned_alloc", NULL };

	if (!build("musl-gcc", "-static")) {
		ok(1, "musl, static # SKIP no musl-gcc");
		return;
	}
	expect("musl, static", all, FUNCTION_SYMBOL);
	strip();
	expect("the same, stripped", by_code, FUNCTION_CODE);
}

/* Which of the two is called malloc does not matter; that both are found does. */
static void musl_wrappers(void)
{
	struct functions f;
	struct target t;
	struct loadeds l;
	pid_t pid = build("musl-gcc", "-static") ? (strip(), start(&t, &l)) : 0;

	if (!pid) {
		ok(1, "both wrappers # SKIP no musl-gcc");
		return;
	}
	functions_find(&f, &t, &l, names, sizeof names / sizeof *names);
	const struct function *a = named(&f, "malloc"), *b = named(&f, "__libc_malloc");
	uint64_t x = truth("malloc"), y = truth("__libc_malloc");
	ok(a && b && ((a->address == x && b->address == y) || (a->address == y && b->address == x)), "malloc and __libc_malloc, in any order");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	functions_free(&f);
	loaded_free(&l);
	target_close(&t);
}

static void glibc(void)
{
	static const char *const all[] = { "malloc", "free", "calloc", "realloc", "memalign", "posix_memalign", NULL };

	if (!build("gcc", "-static")) {
		ok(1, "glibc, static # SKIP no static libc");
		return;
	}
	expect("glibc, static", all, FUNCTION_SYMBOL);
	strip();
	expect_none("glibc, static, stripped");
}

/* lld makes local what is hidden, as malloc is in Rust's static programs. */
static void hidden(void)
{
	static const char *const all[] = { "malloc", "free", "calloc", "realloc", NULL };

	shell("cd %s && echo '__attribute__((visibility(\"hidden\"))) void *malloc(unsigned long);' >hidden.h", "", "");
	if (!build("gcc", "-static -include hidden.h")) {
		ok(1, "hidden # SKIP no static libc");
		return;
	}
	ok(!shell("cd %s && objcopy --localize-hidden p && nm p | grep -q ' t malloc$'", "", ""), "a static program whose malloc is a local symbol");
	expect("hidden ones", all, FUNCTION_SYMBOL);
}

static void exported(void)
{
	struct functions f;
	struct target t;
	struct loadeds l;
	struct err e;

	if (target_open_pid(&t, getpid(), &e)) return;
	loaded_read(&l, &t);
	functions_find(&f, &t, &l, names, sizeof names / sizeof *names);
	const struct function *m = named(&f, "malloc"), *r = named(&f, "realloc");
	ok(m && m->way == FUNCTION_EXPORTED && m->address == (uint64_t)malloc && m->nature == ATTACH_LEARN, "this process's malloc");
	ok(r && r->nature == ATTACH_VARIES, "glibc's realloc comes to malloc, now and then");
	functions_free(&f);
	loaded_free(&l);
	target_close(&t);
}

int main(void)
{
	char file[256];

	if (!mkdtemp(dir)) return 1;
	snprintf(file, sizeof file, "%s/p.c", dir);
	FILE *f = fopen(file, "w");
	if (!f || fputs(program, f) < 0 || fclose(f)) return 1;
	exported();
	glibc();
	hidden();
	musl();
	musl_wrappers();
	shell("rm -rf %s", "", "");
	return done();
}
