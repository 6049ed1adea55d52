/* identity.c: see identity.h. Stripped programs are the rule, so what they are is told by what cannot be stripped: the libraries they map, words in
 * their constants, the auxiliary vector. */
#include "inspect/verdict/identity.h"

#include <ctype.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/model/plain.h"
#include "inspect/symbol/root.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"
#include "inspect/verdict/facts.h"

enum { FILE_MAX = 256 << 20, ENVIRON_MAX = 1 << 20 };

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int begins(const char *s, const char *with) { return !strncmp(s, with, strlen(with)); }

static char *slurp(int fd, size_t max, size_t *n)
{
	char *buf = xmalloc(max + 1);
	ssize_t got;

	for (*n = 0; fd >= 0 && *n < max && (got = read(fd, buf + *n, max - *n)) > 0;) *n += (size_t)got;
	buf[*n] = 0;
	if (fd >= 0) close(fd);
	return buf;
}

static int open_proc(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- environment ---- */

static int is_ours(const char *name, size_t n)
{
	static const char *const prefix[] = { "MALLOC_", "MIMALLOC_", "TCMALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "LD_LIBRARY_PATH", "ALLOCTOP_", "GOGC", "GOMEMLIMIT", "GODEBUG", "NODE_OPTIONS",
	                                      "PYTHONMALLOC", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "RUBY_GC_", "HEAPPROFILE", "OMP_NUM_THREADS" };

	for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++)
		if (begins(name, prefix[i])) return 1;
	return n >= 11 && !strncmp(name + n - 11, "MALLOC_CONF", 11);
}

static void read_env(struct facts_identity *id)
{
	size_t n;
	int fd = open_proc(id->pid, "environ");

	if (fd < 0) {
		snprintf(id->env_group.why, sizeof id->env_group.why, "its environment may not be read (run as root, or as its user)");
		return;
	}
	char *text = slurp(fd, ENVIRON_MAX, &n);
	id->env_group.known = 1;
	for (char *p = text; p < text + n; p += strlen(p) + 1) {
		char *equals = strchr(p, '=');
		if (!equals || !is_ours(p, (size_t)(equals - p)) || id->nenv == sizeof id->env / sizeof *id->env) continue;
		struct facts_variable *v = &id->env[id->nenv];
		if ((size_t)(equals - p) >= sizeof v->name) continue;
		snprintf(v->name, sizeof v->name, "%.*s", (int)(equals - p), p);
		snprintf(v->value, sizeof v->value, "%s", equals + 1);
		plain_text(v->name);
		plain_text(v->value);
		id->nenv++;
	}
	free(text);
}

/* ---- how it was linked ---- */

static void read_auxv(struct facts_identity *id)
{
	size_t n;
	char *bytes = slurp(open_proc(id->pid, "auxv"), 8192, &n);
	uint64_t base = 0, secure = 0;

	for (size_t i = 0; i + sizeof(Elf64_auxv_t) <= n; i += sizeof(Elf64_auxv_t)) {
		Elf64_auxv_t a;
		memcpy(&a, bytes + i, sizeof a);
		if (a.a_type == AT_BASE) base = a.a_un.a_val;
		if (a.a_type == AT_SECURE) secure = a.a_un.a_val;
	}
	id->is_static = n && !base;
	id->secure = secure != 0;
	free(bytes);
}

static void read_libc(struct facts *f, const struct target *t)
{
	struct facts_identity *id = &f->id;

	for (size_t i = 0; i < t->maps.n && !id->libc; i++) {
		const char *name = base_name(t->maps.map[i].path);
		if (begins(name, "ld-musl-") || !strcmp(name, "libc.so")) id->libc = FACTS_MUSL;
		else if (!strcmp(name, "libc.so.6") || begins(name, "libc-2.")) id->libc = FACTS_GLIBC;
	}
	for (size_t i = 0; i < f->heap.nallocators; i++) {
		const struct heap_allocator *a = &f->heap.allocator[i];
		enum facts_libc libc = begins(a->name, "musl") ? FACTS_MUSL : begins(a->name, "glibc") ? FACTS_GLIBC : FACTS_LIBC_UNKNOWN;
		if (!libc || (id->libc && id->libc != libc)) continue;
		id->libc = libc;
		snprintf(id->libc_version, sizeof id->libc_version, "%.15s", a->version);
	}
}

/* ---- words in files ---- */

enum { PIECE = 1 << 20, OVERLAP = 64 };

/* Calls fn with a file piece by piece, OVERLAP bytes of it twice, and closes it; not mapped, as it may be cut short meanwhile. */
static void each_piece(int fd, void (*fn)(void *arg, const char *bytes, size_t n), void *arg)
{
	char *buf = xmalloc(PIECE + OVERLAP);
	size_t kept = 0;
	ssize_t got;

	for (size_t total = 0; fd >= 0 && total < FILE_MAX && (got = read(fd, buf + kept, PIECE)) > 0; total += (size_t)got) {
		size_t n = kept + (size_t)got;
		fn(arg, buf, n);
		kept = n < OVERLAP ? n : OVERLAP;
		memmove(buf, buf + n - kept, kept);
	}
	if (fd >= 0) close(fd);
	free(buf);
}

static void look_for_languages(void *arg, const char *bytes, size_t n)
{
	struct facts_identity *id = arg;

	id->rust = id->rust || memmem(bytes, n, "/rustc/", 7) || memmem(bytes, n, "library/std/src/", 16);
	id->go = id->go || memmem(bytes, n, "\xff Go buildinf:", 14);
	id->cxx = id->cxx || memmem(bytes, n, "St9exception", 12);
}

static void read_languages(struct facts_identity *id, const struct target *t)
{
	static const struct { const char *library, *name; } runtimes[] = { { "libpython", "python" }, { "libjvm.so", "java" }, { "libruby", "ruby" }, { "libnode.so", "node" }, { "libphp", "php" } };
	static const char *const programs[] = { "python", "node", "java", "ruby", "php" };
	char exe[64];

	snprintf(exe, sizeof exe, "/proc/%d/exe", (int)id->pid);
	each_piece(root_magic(exe), look_for_languages, id);
	for (size_t k = 0; k < t->maps.n; k++) {
		const char *name = base_name(t->maps.map[k].path);
		if (begins(name, "libstdc++.so") || begins(name, "libc++.so")) id->cxx = 1;
		for (size_t j = 0; j < sizeof runtimes / sizeof *runtimes && !*id->runtime; j++)
			if (begins(name, runtimes[j].library)) snprintf(id->runtime, sizeof id->runtime, "%s", runtimes[j].name);
	}
	for (size_t j = 0; j < sizeof programs / sizeof *programs && !*id->runtime; j++)
		if (begins(base_name(t->proc.exe), programs[j])) snprintf(id->runtime, sizeof id->runtime, "%s", programs[j]);
}

static void read_system(struct facts_identity *id)
{
	char path[64], *text, *s;
	struct stat ours, theirs;
	size_t n;

	snprintf(path, sizeof path, "/proc/%d/root", (int)id->pid);
	int root = root_open(path);
	if (root < 0) return;
	if (!fstat(root, &theirs) && !stat("/", &ours)) id->container = theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino;
	text = slurp(root_file(root, "/etc/os-release"), 16 << 10, &n);
	for (s = text; s && *s; s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL) {
		if (begins(s, "VERSION_ID=")) id->release = (unsigned)strtoul(s + 11 + (s[11] == '"'), NULL, 10);
		if (!begins(s, "ID=")) continue;
		s += 3 + (s[3] == '"');
		snprintf(id->system, sizeof id->system, "%.*s", (int)strcspn(s, "\"\n"), s);
		plain_text(id->system);
	}
	free(text);
	close(root);
}

void identity_fill(struct facts *f, const struct target *t)
{
	const char *base = base_name(t->proc.exe);

	f->id.group.known = 1;
	f->id.pid = t->pid;
	f->id.inner_pid = t->proc.inner_pid;
	snprintf(f->id.program, sizeof f->id.program, "%.63s", *base && begins(base, t->proc.comm) ? base : t->proc.comm);
	plain_text(f->id.program);
	read_env(&f->id);
	read_auxv(&f->id);
	read_libc(f, t);
	read_languages(&f->id, t);
	read_system(&f->id);
}

/* ---- allocators ---- */

/* jemalloc has the name of its variable among its constants, with the prefix that it was built with. */
static void look_for_prefix(void *arg, const char *bytes, size_t n)
{
	static const char word[] = "MALLOC_CONF";
	struct facts_deployed *d = arg;
	const char *at = *d->prefix ? NULL : memmem(bytes, n, word, sizeof word), *from = at;

	while (at && from > bytes && at - from < 12 && (isupper((unsigned char)from[-1]) || from[-1] == '_')) from--;
	for (size_t k = 0; at && from + k < at; k++) d->prefix[k] = (char)tolower((unsigned char)from[k]);
}

static int is_preloaded(const struct facts *f, const char *path)
{
	const char *list = facts_env(f, "LD_PRELOAD");

	return list && *base_name(path) && strstr(list, base_name(path));
}

void identity_deployed(struct facts *f, const struct target *t)
{
	f->deployed = xcalloc(f->heap.nallocators + 1, sizeof *f->deployed);
	for (size_t i = 0; i < f->heap.nallocators; i++) {
		const struct heap_allocator *a = &f->heap.allocator[i];
		struct facts_deployed *d = &f->deployed[i];
		const struct map *m = NULL;
		for (size_t k = 0; k < t->maps.n && !m; k++)
			if (*a->owner && !strcmp(base_name(t->maps.map[k].path), a->owner)) m = &t->maps.map[k];
		const char *path = m ? m->path : "", *name = base_name(path);
		snprintf(d->object, sizeof d->object, "%s", path);
		plain_text(d->object);
		if (m && strcmp(path, t->proc.exe)) d->way = is_preloaded(f, path) ? FACTS_PRELOADED : FACTS_LIBRARY;
		else d->way = FACTS_LINKED;
		if (begins(name, "libc.so") || begins(name, "libc-2.") || begins(name, "ld-musl-")) d->way = FACTS_IN_LIBC;
		if (m && begins(a->name, "jemalloc")) each_piece(target_file(t, m), look_for_prefix, d);
	}
}
