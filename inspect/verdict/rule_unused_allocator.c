/* rule_unused_allocator.c: an allocator is in the process, and malloc goes elsewhere. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"

/* Libraries that are there for nothing but to be malloc. */
static const struct known { const char *file, *name; } known[] = {
	{ "libjemalloc", "jemalloc" }, { "libtcmalloc", "tcmalloc" }, { "libmimalloc", "mimalloc" }, { "libsnmalloc", "snmalloc" }, { "librpmalloc", "rpmalloc" }, { "libhoard", "hoard" },
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const struct known *known_of(const char *path)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strncmp(base_name(path), known[i].file, strlen(known[i].file))) return &known[i];
	return NULL;
}

/* Does the program use what is in this object? One with names of its own is for those who call it by them, however rarely. */
static int object_in_use(const struct facts *f, const char *object)
{
	for (size_t i = 0; i < f->heap.nallocators; i++) {
		const struct heap_allocator *a = &f->heap.allocator[i];
		const struct facts_deployed *d = facts_deployed(f, a);
		if (strcmp(a->owner, object)) continue;
		return a->in_use || (d && *d->prefix);
	}
	return 0;
}

/* A mapped library that is known as an allocator and idle; NULL. */
static const char *unused_library(const struct facts *f, const struct known **what)
{
	for (size_t i = 0; i < f->heap.nmaps; i++) {
		const char *path = f->heap.map[i].path;
		if ((*what = known_of(path)) && !object_in_use(f, base_name(path))) return path;
	}
	return NULL;
}

/* By what the library is called without its version: its name may be a link's. */
static int is_preloaded(const struct facts *f, const struct known *what)
{
	const char *list = facts_env(f, "LD_PRELOAD");

	return list && strstr(list, what->file);
}

static int is_preloaded_allocator(const struct facts *f, const struct heap_allocator *a)
{
	const struct facts_deployed *d = facts_deployed(f, a);

	return d && d->way == FACTS_PRELOADED;
}

/* Why, as far as it shows. */
static const char *cause(const struct facts *f, const struct heap_allocator *used, const struct known *what)
{
	const struct facts_deployed *d = facts_deployed(f, used);

	if (d && d->way == FACTS_LINKED) return "the executable defines malloc itself, which comes before any library, a preloaded one too";
	if (d && d->way == FACTS_PRELOADED) return "another allocator is preloaded, and the first one that defines malloc is taken";
	if (is_preloaded(f, what)) return "it is preloaded, and yet malloc was bound elsewhere: it does not export malloc, or was loaded into another namespace";
	return "it was loaded after malloc had been bound (dlopen, a plugin), or stands behind libc in the order of libraries";
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *used = f->heap.nallocators && f->heap.allocator[0].in_use ? &f->heap.allocator[0] : NULL;
	const struct known *what;
	const char *path = f->heap_group.known ? unused_library(f, &what) : NULL;

	/* nothing allocated yet: nothing decided yet; and who preloads one means it to take the place of what is linked */
	if (!used || !path || (is_preloaded_allocator(f, used) && !is_preloaded(f, what))) return RULE_NO;
	const char *object = base_name(path);
	finding_headline(out, "%s is loaded (%s), and malloc is %s", what->name, object, used->name);
	finding_say(out, FINDING_EVIDENCE, "%s is mapped, and no heap of %s with anything live was found", path, what->name);
	finding_say(out, FINDING_EVIDENCE, "what is live is in %s, of %s", used->name, *used->owner ? used->owner : "the program");
	finding_say(out, FINDING_CAUSE, "%s", cause(f, used, what));
	recipe_replace(f, out, what->name);
	finding_say(out, FINDING_DO, "or take %s out, if it is not meant to be there", object);
	finding_say(out, FINDING_EFFECT, "what was measured or tuned for %s holds", what->name);
	finding_say(out, FINDING_CHECK, "alloctop heap PID: %s is \"the program's\"", what->name);
	out->certainty = is_preloaded(f, what) ? FINDING_CERTAIN : FINDING_LIKELY;
	return RULE_YES;
}

const struct rule rule_unused_allocator = {
	.name = "unused-allocator",
	.kind = "SETUP",
	.title = "an allocator is loaded, and malloc goes elsewhere",
	.explanation = "malloc is what the first object in the linker's order defines: the executable, then LD_PRELOAD, then the libraries in the order in which they are needed. An allocator that comes later, that is opened "
		"with dlopen, or that is preloaded into a program with a malloc of its own is loaded in vain, and nobody notices. Libraries that are known as allocators are looked for among the mappings, and "
		"a heap of theirs with anything live in it in memory. One that is linked, and replaced by one that is preloaded, is as somebody wanted it. Allocators under names of their own (je_malloc, mi_malloc) are for those who call them, and not looked at.",
	.threshold = "a library that is known as an allocator is mapped, has nothing live, and another one has",
	.source = "ld.so(8), LD_PRELOAD; dlopen(3), RTLD_DEEPBIND; jemalloc, INSTALL.md, --with-jemalloc-prefix",
	.test = test,
};
