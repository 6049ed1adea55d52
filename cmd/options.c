/* options.c: the parser behind options.h. The rules of getopt are left to getopt_long; this turns a table into its arguments
 * and its verdicts into words. Called by main.c only; not re-entrant, as getopt_long is not. */
#include "cmd/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/pid.h"
#include "inspect/target/err.h"

enum { ROWS_MAX = 40, VALUE_ROW = 256 };        /* getopt's value of row i is VALUE_ROW + i: never a character */

int options_bytes(const char *s, uint64_t *out)
{
	static const char suffix[] = "KMGT";
	char *end;
	unsigned shift = 0;

	if (!isdigit((unsigned char)*s)) return -1;
	errno = 0;
	unsigned long long v = strtoull(s, &end, 10);
	if (errno) return -1;
	if (*end) {
		const char *p = strchr(suffix, toupper((unsigned char)*end));
		if (p) shift = 10 * (unsigned)(p - suffix + 1), end++;
		if (p && *end == 'i') end++;
		if (*end == 'B') end++;
	}
	if (*end || v > UINT64_MAX >> shift) return -1;
	*out = (uint64_t)v << shift;
	return 0;
}

int options_seconds(const char *s, double *out)
{
	static const struct { const char *name; double scale; } unit[] = {
		{ "", 1 }, { "s", 1 }, { "ms", 1e-3 }, { "m", 60 }, { "h", 3600 },
	};
	char *end;

	if (!isdigit((unsigned char)*s) && *s != '.') return -1;
	double v = strtod(s, &end);
	if (end == s || !isfinite(v)) return -1;
	for (size_t i = 0; i < sizeof unit / sizeof *unit; i++) {
		if (strcmp(end, unit[i].name)) continue;
		*out = v * unit[i].scale;
		return 0;
	}
	return -1;
}

static int is_choice(const struct option_row *r, const char *s, size_t n)
{
	const char *w;

	for (size_t i = 0; (w = r->choice(i)); i++)
		if (strlen(w) == n && !memcmp(w, s, n)) return 1;
	return 0;
}

static int check_choice(const struct cmd *c, const struct option_row *r, const char *value, struct err *e)
{
	enum { MANY = 120 };
	char words[2 * MANY] = "";
	const char *w;
	size_t n;

	for (const char *s = value;; s += n + 1) {
		n = r->type == OPTION_WORDS ? strcspn(s, ",") : strlen(s);
		if (!is_choice(r, s, n)) break;
		if (!s[n]) return 0;
	}
	for (size_t i = 0; (w = r->choice(i)); i++) {
		if (i) strncat(words, ", ", sizeof words - strlen(words) - 1);
		strncat(words, w, sizeof words - strlen(words) - 1);
	}
	if (strlen(words) > MANY) return err_set(e, ERR_USAGE, "%s: --%s: '%s' is none of the words it takes (see: alloctop %s --help)", c->name, r->name, value, c->name);
	return err_set(e, ERR_USAGE, "%s: --%s: '%s' is not one of %s", c->name, r->name, value, words);
}

static int store(const struct cmd *c, const struct option_row *r, void *options, const char *value, struct err *e)
{
	void *p = (char *)options + r->offset;
	char *end;

	switch (r->type) {
	case OPTION_FLAG:
		*(int *)p = 1;
		return 0;
	case OPTION_STRING:
	case OPTION_WORDS:
		if (r->choice && check_choice(c, r, value, e)) return -1;
		*(const char **)p = value;
		return 0;
	case OPTION_LIST: {
		const char **list = p;
		size_t n = 0;
		while (list[n]) n++;
		if (n == OPTION_LIST_MAX) return err_set(e, ERR_USAGE, "%s: --%s: more than %d of them", c->name, r->name, OPTION_LIST_MAX);
		list[n] = value;
		return 0;
	}
	case OPTION_NS_OF:
		pid_look_inside(value);
		return 0;
	case OPTION_COUNT: {
		errno = 0;
		unsigned long v = strtoul(value, &end, 10);
		if (!isdigit((unsigned char)*value) || *end || errno || v > UINT32_MAX)
			return err_set(e, ERR_USAGE, "%s: --%s: '%s' is not a number", c->name, r->name, value);
		*(unsigned *)p = (unsigned)v;
		return 0;
	}
	case OPTION_BYTES:
		if (!options_bytes(value, p)) return 0;
		return err_set(e, ERR_USAGE, "%s: --%s: '%s' is not a size (as in 4096, 512K, 1M)", c->name, r->name, value);
	case OPTION_SECONDS:
		if (!options_seconds(value, p)) return 0;
		return err_set(e, ERR_USAGE, "%s: --%s: '%s' is not a time (as in 5, 0.5, 200ms, 2m)", c->name, r->name, value);
	}
	return err_set(e, ERR_FAIL, "%s: --%s: option of unknown type", c->name, r->name);
}

/* Why getopt refused argv[optind - 1]. */
static int refuse(const struct cmd *c, int verdict, const char *word, struct err *e)
{
	const struct option_row *r = optopt >= VALUE_ROW ? &c->options[optopt - VALUE_ROW] : NULL;
	const struct option_row *by_letter = NULL;

	for (const struct option_row *o = c->options; o && o->name && optopt && optopt < VALUE_ROW; o++)
		if (o->letter == optopt) by_letter = o;
	if (verdict == ':') {
		if (!r) r = by_letter;
		return err_set(e, ERR_USAGE, "%s: option --%s needs %s (see: alloctop %s --help)", c->name, r ? r->name : "?",
		               r && r->argument ? r->argument : "a value", c->name);
	}
	if (r || optopt == 'h')
		return err_set(e, ERR_USAGE, "%s: option --%s takes no value (see: alloctop %s --help)", c->name,
		               r ? r->name : "help", c->name);
	if (optopt)
		return err_set(e, ERR_USAGE, "%s: unknown option '-%c' (see: alloctop %s --help)", c->name, optopt, c->name);
	return err_set(e, ERR_USAGE, "%s: unknown or ambiguous option '%s' (see: alloctop %s --help)", c->name, word, c->name);
}

int options_parse(const struct cmd *c, void *options, int argc, char **argv, struct err *e)
{
	struct option longs[ROWS_MAX + 2] = { { "help", no_argument, NULL, 'h' } };
	char shorts[2 * ROWS_MAX + 8], *s = shorts;
	int n = 0, verdict;

	if (options && c->defaults) memcpy(options, c->defaults, c->options_size);
	else if (options) memset(options, 0, c->options_size);
	if (c->in_order) *s++ = '+';
	*s++ = ':';
	*s++ = 'h';
	for (const struct option_row *r = c->options; r && r->name && n < ROWS_MAX; r++, n++) {
		int takes = r->type != OPTION_FLAG;
		longs[n + 1] = (struct option){ r->name, takes ? required_argument : no_argument, NULL, VALUE_ROW + n };
		if (r->letter) *s++ = r->letter;
		if (r->letter && takes) *s++ = ':';
	}
	*s = 0;

	opterr = 0;
	optind = 0;             /* glibc and musl: start over */
	while ((verdict = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_row *r = c->options;
		if (verdict == 'h') return 0;
		if (verdict == '?' || verdict == ':') return refuse(c, verdict, argv[optind - 1], e);
		if (verdict >= VALUE_ROW) r += verdict - VALUE_ROW;
		else while (r->letter != verdict) r++;
		if (store(c, r, options, optarg, e)) return -1;
	}
	return optind;
}
