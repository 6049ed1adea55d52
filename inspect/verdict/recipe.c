/* recipe.c: see recipe.h. */
#include "inspect/verdict/recipe.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "inspect/verdict/facts.h"
#include "inspect/verdict/rule.h"

enum { VALUE = 640 };

static const char *where(const struct facts *f)
{
	return f->id.container ? " (docker run -e, ENV in its image, env: of the pod)" : "";
}

/* The kernel hides the environment of nobody, but the linker and libc of a setuid program look away. */
static void warn_secure(const struct facts *f, struct finding *out)
{
	if (f->id.secure) finding_say(out, FINDING_DO, "it gains privileges when it starts: libc and linker ignore these variables then, unless it is started as that user");
}

static void say_variable(const struct facts *f, struct finding *out, const char *name, const char *value, const char *also)
{
	const char *now = facts_env(f, name);

	if (now && *now) finding_say(out, FINDING_DO, "start it with %s=%s%s%s; now it has %s=%s", name, value, where(f), also, name, now);
	else finding_say(out, FINDING_DO, "start it with %s=%s%s%s", name, value, where(f), also);
	warn_secure(f, out);
}

void recipe_variable(const struct facts *f, struct finding *out, const char *name, const char *value)
{
	say_variable(f, out, name, value, "");
}

/* ---- lists of key and value, with one or more of them replaced ---- */

/* Is there an entry with this key in the list? Entries end with `end`, keys with `equals`. */
static int has_key(const char *list, const char *key, size_t keylen, char end, char equals)
{
	for (const char *p = list; p && *p; p = strchr(p, end) ? strchr(p, end) + 1 : NULL)
		if (!strncmp(p, key, keylen) && p[keylen] == equals) return 1;
	return 0;
}

/* The entries of `now` that `with` does not set anew, then `with`. */
static void merge(const char *now, const char *with, char end, char equals, char *buf, size_t n)
{
	size_t at = 0;

	*buf = 0;
	for (const char *p = now; p && *p && at < n;) {
		size_t len = strcspn(p, (char[]){ end, 0 }), key = strcspn(p, (char[]){ equals, end, 0 });
		if (len && !has_key(with, p, key, end, equals)) at += (size_t)snprintf(buf + at, n - at, "%.*s%c", (int)len, p, end);
		p += len + (p[len] != 0);
	}
	if (at < n) snprintf(buf + at, n - at, "%s", with);
}

void recipe_tunable(const struct facts *f, struct finding *out, const char *tunable, const char *variable, const char *value)
{
	const char *now = facts_env(f, "GLIBC_TUNABLES");
	const struct heap_allocator *a = facts_allocator(f, "glibc");
	int tunables = facts_version(*f->id.libc_version ? f->id.libc_version : a ? a->version : "", 2, 26);
	char entry[VALUE / 2], merged[VALUE], key[96], also[VALUE + 64] = "";

	snprintf(entry, sizeof entry, "glibc.malloc.%s=%s", tunable, value);
	snprintf(key, sizeof key, "glibc.malloc.%s", tunable);
	merge(now, entry, ':', '=', merged, sizeof merged);
	int set = now && has_key(now, key, strlen(key), ':', '=');
	if (variable && !set) {
		if (tunables == 1) snprintf(also, sizeof also, ", or GLIBC_TUNABLES=%s", merged);
		say_variable(f, out, variable, value, also);
	} else if (tunables == 0) {
		finding_say(out, FINDING_DO, "this version of glibc has no variable for it (2.26 has): set it with mallopt(3) in the program");
	} else {
		say_variable(f, out, "GLIBC_TUNABLES", merged, "");
	}
}

void recipe_jemalloc(const struct facts *f, struct finding *out, const struct heap_allocator *a, const char *options)
{
	const struct facts_deployed *d = facts_deployed(f, a);
	char name[48] = "", merged[VALUE];
	size_t n = 0;

	for (const char *p = d ? d->prefix : ""; *p && n < sizeof name - 16; p++) name[n++] = (char)toupper((unsigned char)*p);
	snprintf(name + n, sizeof name - n, "MALLOC_CONF");
	merge(facts_env(f, name), options, ',', ':', merged, sizeof merged);
	say_variable(f, out, name, merged, "");
}

/* ---- another allocator ---- */

static const struct package { const char *system, *which, *install, *path; } packages[] = {
	{ "alpine", "mimalloc", "apk add mimalloc2-insecure", "/usr/lib/libmimalloc-insecure.so.2" },
	{ "alpine", "jemalloc", "apk add jemalloc", "/usr/lib/libjemalloc.so.2" },
	{ "alpine", "tcmalloc", "apk add gperftools-libs", "/usr/lib/libtcmalloc_minimal.so.4" },
	{ "debian", "jemalloc", "apt install libjemalloc2", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2" },
	{ "debian", "mimalloc", "apt install libmimalloc2.0", "/usr/lib/x86_64-linux-gnu/libmimalloc.so.2" },
	{ "debian", "tcmalloc", "apt install libtcmalloc-minimal4", "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4" },
	{ "ubuntu", "jemalloc", "apt install libjemalloc2", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2" },
	{ "ubuntu", "mimalloc", "apt install libmimalloc2.0", "/usr/lib/x86_64-linux-gnu/libmimalloc.so.2" },
	{ "ubuntu", "tcmalloc", "apt install libtcmalloc-minimal4", "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4" },
	{ "fedora", "jemalloc", "dnf install jemalloc", "/usr/lib64/libjemalloc.so.2" },
	{ "fedora", "mimalloc", "dnf install mimalloc", "/usr/lib64/libmimalloc.so.2" },
	{ "fedora", "tcmalloc", "dnf install gperftools-libs", "/usr/lib64/libtcmalloc_minimal.so.4" },
	{ 0 },
};

static const struct package *package_of(const char *system, const char *which)
{
	for (const struct package *p = packages; p->system; p++)
		if (!strcmp(p->system, system) && (!which || !strcmp(p->which, which))) return p;
	return NULL;
}

/* A malloc of the executable's own comes before a preloaded one. */
static int preload_bypassed(const struct facts *f)
{
	for (size_t i = 0; f->deployed && i < f->heap.nallocators; i++)
		if (f->heap.allocator[i].in_use && f->deployed[i].way == FACTS_LINKED) return 1;
	return 0;
}

static void replace_in_rust(struct finding *out, const char *which)
{
	int jemalloc = which && !strcmp(which, "jemalloc");

	finding_say(out, FINDING_DO, "in main.rs: #[global_allocator] static GLOBAL: %s; (cargo add %s)",
	            jemalloc ? "tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc" : "mimalloc::MiMalloc = mimalloc::MiMalloc",
	            jemalloc ? "tikv-jemallocator" : "mimalloc");
}

static void replace_by_link(const struct facts *f, struct finding *out, const char *which)
{
	const char *lib = which && !strcmp(which, "jemalloc") ? "jemalloc" : which && !strcmp(which, "tcmalloc") ? "tcmalloc_minimal" : "mimalloc";

	if (f->id.rust) {
		replace_in_rust(out, which);
		return;
	}
	if (f->id.is_static)
		finding_say(out, FINDING_DO, "it is linked statically, so nothing can be preloaded: link it anew with lib%s.a%s in front of libc: -Wl,--whole-archive -l%s -Wl,--no-whole-archive", lib,
		            f->id.libc == FACTS_MUSL ? ", built for musl," : "", lib);
	else finding_say(out, FINDING_DO, "the executable defines malloc itself, which comes before anything preloaded: link it anew with -l%s", lib);
}

static void replace_by_preload(const struct facts *f, struct finding *out, const char *which)
{
	const struct package *p = package_of(f->id.system, which);
	const char *lib = which ? which : "mimalloc";
	char path[128];

	/* on a system of another libc its packages do not fit */
	if (f->id.libc == FACTS_MUSL && strcmp(f->id.system, "alpine")) p = NULL;
	if (p && f->id.container)
		finding_say(out, FINDING_DO, "in its image: RUN %s, ENV LD_PRELOAD=%s (%s)", p->install, p->path, p->which);
	else if (p) finding_say(out, FINDING_DO, "%s, then start it with LD_PRELOAD=%s (%s)", p->install, p->path, p->which);
	else if (f->id.libc == FACTS_MUSL) {
		snprintf(path, sizeof path, "/path/to/lib%s.so", lib);
		finding_say(out, FINDING_DO, "build %s with musl-gcc (one built for glibc does not load), then start it with LD_PRELOAD=%s, or link it in", lib, path);
	} else finding_say(out, FINDING_DO, "install %s, then start it with LD_PRELOAD=lib%s.so.2", lib, lib);
	if (f->id.rust) replace_in_rust(out, which);
	warn_secure(f, out);
}

void recipe_replace(const struct facts *f, struct finding *out, const char *which)
{
	if (f->id.is_static || preload_bypassed(f)) replace_by_link(f, out, which);
	else replace_by_preload(f, out, which);
}

void recipe_code(struct finding *out, const char *fmt, ...)
{
	char buf[VALUE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	finding_say(out, FINDING_DO, "%s", buf);
}

void recipe_compare(const struct facts *f, struct finding *out, const char *variable)
{
	const char *program = *f->id.program ? f->id.program : "CMD";

	if (variable) finding_say(out, FINDING_CHECK, "alloctop compare --env %s -- %s ...", variable, program);
	else if (f->id.is_static) finding_say(out, FINDING_CHECK, "alloctop compare --vs ./rebuilt -- %s ...", program);
	else finding_say(out, FINDING_CHECK, "alloctop compare -- %s ...", program);
}
