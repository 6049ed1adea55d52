/* compare_variant.c: see compare_variant.h. */
#include "cmd/compare_variant.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wordexp.h>

#include "cmd/compare_library.h"
#include "cmd/program.h"
#include "inspect/model/plain.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

static const char *const known[] = { "glibc", "jemalloc", "tcmalloc", "mimalloc", NULL };

const char *variant_word(size_t i) { return known[i]; }

static char **append(char **words, size_t *n, char *word)
{
	words = xreallocarray(words, *n + 2, sizeof *words);
	words[(*n)++] = word;
	words[*n] = NULL;
	return words;
}

static char **copy_words(char *const *from)
{
	char **to = xcalloc(1, sizeof *to);
	size_t n = 0;

	for (; from && *from; from++) to = append(to, &n, xstrdup(*from));
	return to;
}

void variant_words_free(char **words)
{
	for (char **w = words; w && *w; w++) free(*w);
	free(words);
}

char **variant_words(const char *line, struct err *e)
{
	wordexp_t w = { 0 };
	char **words = NULL;
	int verdict = wordexp(line, &w, WRDE_NOCMD);

	if (verdict == WRDE_BADCHAR || verdict == WRDE_CMDSUB)
		return copy_words((char *[]){ "/bin/sh", "-c", (char *)line, NULL });
	if (verdict) err_set(e, ERR_USAGE, "compare: '%s' cannot be split into words (a quote that does not end?)", line);
	else if (!w.we_wordc) err_set(e, ERR_USAGE, "compare: '%s' is no command", line);
	else words = copy_words(w.we_wordv);
	if (!verdict) wordfree(&w);
	return words;
}

static size_t name_length(const char *s)
{
	size_t n = 0;

	if (isdigit((unsigned char)*s)) return 0;
	while (isalnum((unsigned char)s[n]) || s[n] == '_') n++;
	return s[n] == '=' ? n : 0;
}

/* "A=1 B=2 3" is A=1 and B=2 3: a blank ends a value only where another name begins. */
static char **split_env(const char *s, struct err *e)
{
	char **set = xcalloc(1, sizeof *set);
	size_t n = 0;

	if (!name_length(s)) {
		err_set(e, ERR_USAGE, "compare: --env: '%s' is not NAME=VALUE", s);
		free(set);
		return NULL;
	}
	while (*s) {
		const char *end = s;
		do end += strcspn(end, " ") + (end[strcspn(end, " ")] == ' '); while (*end && !name_length(end));
		size_t len = (size_t)(end - s);
		while (*end && s[len - 1] == ' ') len--;
		set = append(set, &n, xasprintf("%.*s", (int)len, s));
		s = end;
	}
	return set;
}

static struct compare_variant *add(struct comparison *c, char *name, char *const *argv)
{
	c->variant = xreallocarray(c->variant, c->n + 1, sizeof *c->variant);
	struct compare_variant *v = &c->variant[c->n++];
	*v = (struct compare_variant){ .name = plain_text(name), .argv = copy_words(argv), .set = copy_words(NULL) };
	return v;
}

/* With this library in front. Skipped when it does not fit. */
static struct compare_variant *add_library(struct comparison *c, char *name, char *const *argv, const char *library)
{
	struct compare_variant *v = add(c, name, argv);
	char *program = program_find(argv[0]), why[300];

	v->library = xstrdup(library);
	if (program && library_fits(library, program, why, sizeof why)) v->skipped = xstrdup(why);
	free(program);
	return v;
}

static int by_name(struct comparison *c, const struct variant_order *o, const char *name, const char *env, struct err *e)
{
	char *library = library_find(name), **set = env ? split_env(env, e) : NULL;
	struct compare_variant *v;

	if (env && !set) {
		free(library);
		return -1;
	}
	char *title = env ? xasprintf("%s %s", name, env) : xstrdup(name);
	if (library) {
		v = add_library(c, title, o->argv, library);
	} else {
		v = add(c, title, o->argv);
		v->skipped = xasprintf("no library of it was found (--preload FILE takes one from anywhere)");
	}
	if (set) {
		variant_words_free(v->set);
		v->set = set;
	}
	v->by_default = !o->allocators;
	free(library);
	return 0;
}

static int add_allocators(struct comparison *c, const struct variant_order *o, struct err *e)
{
	char *names = o->allocators ? xstrdup(o->allocators) : xstrdup("glibc,jemalloc,tcmalloc,mimalloc"), *rest = NULL;
	int bad = 0;

	for (char *name = strtok_r(names, ",", &rest); name && !bad; name = strtok_r(NULL, ",", &rest)) {
		bad = by_name(c, o, name, NULL, e);
		for (const char *const *env = o->env; *env && !bad; env++) bad = by_name(c, o, name, *env, e);
	}
	free(names);
	return bad;
}

static int add_preload(struct comparison *c, const struct variant_order *o, const char *file, struct err *e)
{
	char *path = realpath(file, NULL);
	int sys = errno;

	if (!path && !strchr(file, '/')) path = library_find_soname(file);
	if (!path) {
		err_sys(e, sys, "compare: --preload %s", file);
		if (e->kind == ERR_GONE) e->kind = ERR_FAIL;
		return -1;
	}
	const char *slash = strrchr(file, '/');
	add_library(c, xstrdup(slash ? slash + 1 : file), o->argv, path)->any = 1;
	free(path);
	return 0;
}

static int add_env(struct comparison *c, const struct variant_order *o, const char *env, struct err *e)
{
	char **set = split_env(env, e);

	if (!set) return -1;
	struct compare_variant *v = add(c, xstrdup(env), o->argv);
	variant_words_free(v->set);
	v->set = set;
	return 0;
}

/* A command in more or fewer words. Malloc'ed. */
static char *call(char *const *argv, int detail)
{
	const char *slash = strrchr(argv[0], '/');
	char *s = xstrdup(detail || !slash ? argv[0] : slash + 1);

	for (char *const *w = argv + 1; detail > 1 && *w; w++) {
		char *longer = xasprintf("%s %s", s, *w);
		free(s);
		s = longer;
	}
	return plain_text(s);
}

/* Commands that are compared are called by as little as tells them apart. */
static void call_commands(struct comparison *c)
{
	for (int detail = 0, same = 1; same && detail < 3; detail++) {
		same = 0;
		for (size_t i = 0; i < c->n; i++) {
			free(c->variant[i].name);
			c->variant[i].name = call(c->variant[i].argv, detail);
			for (size_t k = 0; k < i; k++) same |= !strcmp(c->variant[i].name, c->variant[k].name);
		}
	}
}

static int add_vs(struct comparison *c, const char *line, struct err *e)
{
	char **words = variant_words(line, e);

	if (!words) return -1;
	add(c, xstrdup(line), words);
	variant_words_free(words);
	return 0;
}

int variants_make(struct comparison *c, const struct variant_order *o, struct err *e)
{
	int own = *o->preload || *o->env || *o->vs, bad = 0;

	add(c, xstrdup("as it is"), o->argv);
	for (const char *const *s = o->vs; *s && !bad; s++) bad = add_vs(c, *s, e);
	if (*o->vs) call_commands(c);
	if (!bad && (o->allocators || !own)) bad = add_allocators(c, o, e);
	for (const char *const *s = o->preload; *s && !bad; s++) bad = add_preload(c, o, *s, e);
	if (!o->allocators)
		for (const char *const *s = o->env; *s && !bad; s++) bad = add_env(c, o, *s, e);
	return bad;
}

void variants_free(struct comparison *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct compare_variant *v = &c->variant[i];
		free(v->name);
		free(v->library);
		free(v->skipped);
		free(v->run);
		variant_words_free(v->argv);
		variant_words_free(v->set);
	}
	free(c->variant);
	*c = (struct comparison){ 0 };
}

static int is_set(char *const *set, const char *entry)
{
	size_t n = strcspn(entry, "=");

	for (; *set; set++)
		if (!strncmp(*set, entry, n) && (*set)[n] == '=') return 1;
	return 0;
}

/* What was preloaded already stays, but for another allocator. Malloc'ed. */
static char *preload(const char *library)
{
	const char *before = getenv("LD_PRELOAD");
	char *list = xstrdup(before ? before : ""), *value = xasprintf("LD_PRELOAD=%s", library), *rest = NULL;

	for (char *s = strtok_r(list, " :", &rest); s; s = strtok_r(NULL, " :", &rest)) {
		if (library_is_allocator(s)) continue;
		char *longer = xasprintf("%s:%s", value, s);
		free(value);
		value = longer;
	}
	free(list);
	return value;
}

char **variant_environment(const struct compare_variant *v)
{
	char **env = xcalloc(1, sizeof *env);
	size_t n = 0;

	for (char **s = environ; *s; s++) {
		if (is_set(v->set, *s) || (v->library && !strncmp(*s, "LD_PRELOAD=", 11))) continue;
		env = append(env, &n, xstrdup(*s));
	}
	if (v->library && !is_set(v->set, "LD_PRELOAD=")) env = append(env, &n, preload(v->library));
	for (char **s = v->set; *s; s++) env = append(env, &n, xstrdup(*s));
	return env;
}
