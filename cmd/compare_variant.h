/* compare_variant.h: from the command line to the variants of a command: other allocators, other environments, other commands. */
#ifndef ALLOCTOP_COMPARE_VARIANT_H
#define ALLOCTOP_COMPARE_VARIANT_H

#include "cmd/compare.h"

struct variant_order {
	char **argv;                    /* the command as it is */
	const char *allocators;         /* names with commas between, or NULL: all, unless anything below is given */
	const char *const *preload;     /* files; each list ends with NULL */
	const char *const *env;         /* "NAME=VALUE", or several with blanks between */
	const char *const *vs;          /* command lines */
};

/* Appends them to *c, those that cannot be started as skipped, with the reason. */
int variants_make(struct comparison *c, const struct variant_order *o, struct err *e);
void variants_free(struct comparison *c);

const char *variant_word(size_t i);     /* the names of allocators, for the option's table */

/* The environment it is run in; free with variant_words_free. */
char **variant_environment(const struct compare_variant *v);

/* A command line in one word: split as a shell would, or, if it is more than a simple command, given to the shell. NULL-terminated; NULL
   with *e. */
char **variant_words(const char *line, struct err *e);
void variant_words_free(char **words);

#endif
