/* recipe.c: see recipe.h. */
#include "inspect/verdict/recipe.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "inspect/verdict/facts.h"
#include "inspect/verdict/rule.h"

enum { VALUE = 640, TUNABLES = 2 };

static const char *where(const struct facts *f)
{
	return f->id.container ? " (docker run -e, ENV in its image, env: of the pod)" : "";
}

/* The kernel hides the environment of nobody, but the linker and libc of a setuid program look away. */
static void warn_secure(const struct facts *f, struct finding *out)
{
	if (f->id.secure) finding_say(out, FINDING_DO, "it gains privileges when it starts: libc and linker ignore these variables then, unless it is started as that user");
}

static void add(char buf[RECIPE_MAX], const char *name, const char *value)
{
	size_t at = strlen(buf);

	snprintf(buf + at, RECIPE_MAX - at, "%s%s=%s", at ? " " : "", name, value);
}

static void say_variables(const struct facts *f, struct finding *out, const struct recipe_setting *s, size_t n, const char *also)
{
	char wanted[RECIPE_MAX] = "", now[RECIPE_MAX] = "";

	for (size_t i = 0; i < n; i++) {
		const char *v = facts_env(f, s[i].name);
		add(wanted, s[i].name, s[i].value);
		if (v && *v) add(now, s[i].name, v);
	}
	finding_say(out, FINDING_DO, "start it with %s%s%s%s%s", wanted, where(f), also, *now ? "; now it has " : "", now);
	warn_secure(f, out);
}

void recipe_variables(const struct facts *f, struct finding *out, const struct recipe_setting *s, size_t n)
{
	say_variables(f, out, s, n, "");
}

void recipe_variable(const struct facts *f, struct finding *out, const char *name, const char *value)
{
	say_variables(f, out, &(struct recipe_setting){ name, value }, 1, "");
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

void recipe_tunables(const struct facts *f, struct finding *out, const struct recipe_tunable *t, size_t n)
{
	const char *now = facts_env(f, "GLIBC_TUNABLES");
	const struct heap_allocator *a = facts_allocator(f, "glibc");
	int tunables = facts_version(*f->id.libc_version ? f->id.libc_version : a ? a->version : "", 2, 26), variables = n <= TUNABLES;
	char entries[VALUE / 2] = "", merged[VALUE], also[VALUE + 64] = "";
	struct recipe_setting s[TUNABLES];
	size_t at = 0;

	for (size_t i = 0; i < n && at < sizeof entries; i++) {
		size_t begin = at + !!at;
		at += (size_t)snprintf(entries + at, sizeof entries - at, "%sglibc.malloc.%s=%s", at ? ":" : "", t[i].tunable, t[i].value);
		/* what is set as a tunable comes before the variable */
		int set = begin < sizeof entries && now && has_key(now, entries + begin, strcspn(entries + begin, "="), ':', '=');
		variables &= t[i].variable && !set;
		if (i < TUNABLES) s[i] = (struct recipe_setting){ t[i].variable, t[i].value };
	}
	merge(now, entries, ':', '=', merged, sizeof merged);
	if (variables) {
		if (tunables == 1) snprintf(also, sizeof also, ", or GLIBC_TUNABLES=%s", merged);
		say_variables(f, out, s, n, also);
	} else if (tunables == 0) {
		finding_say(out, FINDING_DO, "this version of glibc has no variable for it (2.26 has): set it with mallopt(3) in the program");
	} else {
		recipe_variable(f, out, "GLIBC_TUNABLES", merged);
	}
}

void recipe_tunable(const struct facts *f, struct finding *out, const char *tunable, const char *variable, const char *value)
{
	recipe_tunables(f, out, &(struct recipe_tunable){ tunable, variable, value }, 1);
}

enum { NAME = 48 };

/* jemalloc's variable, called with the prefix of its functions, and what is to be in it. */
static void jemalloc_setting(const struct facts *f, const struct heap_allocator *a, const char *options, char name[NAME], char merged[VALUE])
{
	const struct facts_deployed *d = facts_deployed(f, a);
	size_t n = 0;

	for (const char *p = d ? d->prefix : ""; *p && n < NAME - 16; p++) name[n++] = (char)toupper((unsigned char)*p);
	snprintf(name + n, NAME - n, "MALLOC_CONF");
	merge(facts_env(f, name), options, ',', ':', merged, VALUE);
}

void recipe_jemalloc(const struct facts *f, struct finding *out, const struct heap_allocator *a, const char *options)
{
	char name[NAME], merged[VALUE];

	jemalloc_setting(f, a, options, name, merged);
	recipe_variable(f, out, name, merged);
}

const char *recipe_jemalloc_variable(const struct facts *f, const struct heap_allocator *a, const char *options, char buf[RECIPE_MAX])
{
	char name[NAME], merged[VALUE];

	jemalloc_setting(f, a, options, name, merged);
	snprintf(buf, RECIPE_MAX, "%s=%s", name, merged);
	return buf;
}

void recipe_mimalloc_delay(const struct facts *f, struct finding *out, const struct heap_allocator *a, const char *ms)
{
	const struct recipe_setting both[] = { { "MIMALLOC_PURGE_DELAY", ms }, { "MIMALLOC_DECOMMIT_DELAY", ms } };

	recipe_variables(f, out, both, facts_version(a->version, 2, 1) == 1 ? 1 : 2);
}

/* ---- another allocator ---- */

/* Newer releases first; `from`: the first that has it. */
static const struct package { const char *system; unsigned from; const char *which, *install, *path; } packages[] = {
	{ "alpine", 0, "mimalloc", "apk add mimalloc2-insecure", "/usr/lib/libmimalloc-insecure.so.2" },
	{ "alpine", 0, "jemalloc", "apk add jemalloc", "/usr/lib/libjemalloc.so.2" },
	{ "debian", 0, "jemalloc", "apt install libjemalloc2", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2" },
	{ "debian", 13, "mimalloc", "apt install libmimalloc3", "/usr/lib/x86_64-linux-gnu/libmimalloc.so.3" },
	{ "debian", 0, "mimalloc", "apt install libmimalloc2.0", "/usr/lib/x86_64-linux-gnu/libmimalloc.so.2" },
	{ "debian", 0, "tcmalloc", "apt install libtcmalloc-minimal4", "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4" },
	{ "ubuntu", 0, "jemalloc", "apt install libjemalloc2", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2" },
	{ "ubuntu", 26, "mimalloc", "apt install libmimalloc3", "/usr/lib/x86_64-linux-gnu/libmimalloc.so.3" },
	{ "ubuntu", 0, "mimalloc", "apt install libmimalloc2.0", "/usr/lib/x86_64-linux-gnu/libmimalloc.so.2" },
	{ "ubuntu", 0, "tcmalloc", "apt install libtcmalloc-minimal4", "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4" },
	{ "fedora", 0, "jemalloc", "dnf install jemalloc", "/usr/lib64/libjemalloc.so.2" },
	{ "fedora", 0, "mimalloc", "dnf install mimalloc", "/usr/lib64/libmimalloc.so.2" },
	{ "fedora", 0, "tcmalloc", "dnf install gperftools-libs", "/usr/lib64/libtcmalloc_minimal.so.4" },
	{ 0 },
};

static const struct package *package_of(const struct facts *f, const char *which)
{
	for (const struct package *p = packages; p->system; p++)
		if (!strcmp(p->system, f->id.system) && f->id.release >= p->from && (!which || !strcmp(p->which, which))) return p;
	return NULL;
}

/* The file of one whose package is not known. */
static const char *library_of(const char *which)
{
	return !strcmp(which, "jemalloc") ? "libjemalloc.so.2" : !strcmp(which, "tcmalloc") ? "libtcmalloc_minimal.so.4" : "libmimalloc.so";
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
	const struct package *p = package_of(f, which);
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
	} else finding_say(out, FINDING_DO, "install %s, then start it with LD_PRELOAD=%s", lib, library_of(lib));
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

/* One made for musl: those that are installed for glibc are none. */
static const char *musl_library(const struct facts *f)
{
	const struct package *p = strcmp(f->id.system, "alpine") ? NULL : package_of(f, NULL);

	return p ? p->path : "/path/to/libmimalloc.so";
}

void recipe_compare(const struct facts *f, struct finding *out, const char *variables)
{
	const char *program = *f->id.program ? f->id.program : "CMD", *quote = variables && strchr(variables, ' ') ? "'" : "";

	if (variables) finding_say(out, FINDING_CHECK, "alloctop compare --env %s%s%s -- %s ...", quote, variables, quote, program);
	else if (f->id.is_static) finding_say(out, FINDING_CHECK, "alloctop compare --vs ./rebuilt -- %s ...", program);
	else if (f->id.libc == FACTS_MUSL) finding_say(out, FINDING_CHECK, "alloctop compare --preload %s -- %s ...", musl_library(f), program);
	else finding_say(out, FINDING_CHECK, "alloctop compare -- %s ...", program);
}
