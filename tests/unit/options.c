/* options.c: the command line against its table, the values by themselves. */
/* LINK: cmd/options.c cmd/pid.c inspect */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "inspect/target/err.h"

struct opts { int flag, other; const char *word, *list, *any, *again[OPTION_LIST_MAX + 1]; unsigned count; uint64_t bytes; double seconds; };

static const char *choice(size_t i)
{
	static const char *const w[] = { "red", "green", NULL };

	return w[i];
}

static const struct option_row rows[] = {
	{ 'f', "flag", OPTION_FLAG, offsetof(struct opts, flag), NULL, "", NULL },
	{ 'g', "other", OPTION_FLAG, offsetof(struct opts, other), NULL, "", NULL },
	{ 'w', "word", OPTION_STRING, offsetof(struct opts, word), "WORD", "", choice },
	{ 'l', "list", OPTION_WORDS, offsetof(struct opts, list), "WORDS", "", choice },
	{ 'o', "out", OPTION_STRING, offsetof(struct opts, any), "FILE", "", NULL },
	{ 'a', "again", OPTION_LIST, offsetof(struct opts, again), "TEXT", "", NULL },
	{ 'n', "count", OPTION_COUNT, offsetof(struct opts, count), "N", "", NULL },
	{ 'r', "rate", OPTION_BYTES, offsetof(struct opts, bytes), "SIZE", "", NULL },
	{ 0, "seconds", OPTION_SECONDS, offsetof(struct opts, seconds), "TIME", "", NULL },
	{ 0 },
};
static const struct opts defaults = { .count = 7, .word = "green" };
static const struct cmd cmd = { .name = "verb", .options = rows, .options_size = sizeof(struct opts), .defaults = &defaults };
static const struct cmd in_order = { .name = "verb", .options = rows, .options_size = sizeof(struct opts), .in_order = 1 };

static int n, bad;

static void ok(int good, const char *what)
{
	n++;
	bad += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", n, what);
}

static struct opts o;
static struct err e;
static char *args[16];
static int count;

/* Words separated by blanks. */
static int parse(const struct cmd *c, const char *line)
{
	static char copy[256];

	snprintf(copy, sizeof copy, "verb %s", line);
	count = 0;
	for (char *s = strtok(copy, " "); s && count < 15; s = strtok(NULL, " ")) args[count++] = s;
	args[count] = NULL;
	memset(&o, 0xff, sizeof o);
	e = (struct err){ 0 };
	return options_parse(c, &o, count, args, &e);
}

/* -ax so many times. 0: taken. */
static int parse_many(int times)
{
	char *many[OPTION_LIST_MAX + 4];

	many[0] = (char *)"verb";
	for (int i = 1; i <= times; i++) many[i] = (char *)"-ax";
	many[times + 1] = NULL;
	e = (struct err){ 0 };
	return options_parse(&cmd, &o, times + 1, many, &e) == times + 1 ? 0 : -1;
}

static int says(int result, const char *a, const char *b)
{
	int good = result == -1 && e.kind == ERR_USAGE && strstr(e.text, a) && strstr(e.text, b);

	if (!good) printf("# got %d: %s\n", result, e.text);
	return good;
}

static void values(void)
{
	uint64_t v = 0;
	double s = 0;

	ok(!options_bytes("512K", &v) && v == 512 << 10, "512K");
	ok(!options_bytes("3m", &v) && v == 3 << 20 && !options_bytes("2GiB", &v) && v == 2ULL << 30, "3m, 2GiB");
	ok(!options_bytes("1B", &v) && v == 1 && !options_bytes("18446744073709551615", &v) && v == UINT64_MAX, "1B, the largest");
	ok(options_bytes("", &v) && options_bytes("K", &v) && options_bytes("-1", &v) && options_bytes("1.5M", &v) && options_bytes("1KK", &v),
	   "no sizes");
	ok(options_bytes("18446744073709551616", &v) && options_bytes("99999999999T", &v), "too large sizes");
	ok(!options_seconds("1.5", &s) && s == 1.5 && !options_seconds("250ms", &s) && s == 0.25 && !options_seconds("2m", &s) && s == 120,
	   "times");
	ok(options_seconds("", &s) && options_seconds("nan", &s) && options_seconds("inf", &s) && options_seconds("-1", &s) &&
	   options_seconds("1d", &s) && options_seconds("1e999", &s), "no times");
}

int main(void)
{
	values();
	ok(parse(&cmd, "") == 1 && o.count == 7 && !strcmp(o.word, "green") && !o.flag && !o.any, "defaults");
	ok(parse(&cmd, "--word=red --count 3 -r4K --seconds=1") == count && !strcmp(o.word, "red") && o.count == 3 && o.bytes == 4096 &&
	   o.seconds == 1, "--opt=value, --opt value, -ovalue");
	ok(parse(&cmd, "-fgn5") == 2 && o.flag == 1 && o.other == 1 && o.count == 5, "clustered flags, the last with a value");
	ok(parse(&cmd, "--cou 9") == 3 && o.count == 9, "a unique prefix");
	ok(parse(&cmd, "a -f b -n 2 c") == 4 && !strcmp(args[4], "a") && !strcmp(args[5], "b") && !strcmp(args[6], "c") && o.flag == 1,
	   "operands between options");
	ok(parse(&cmd, "-f -- -g x") == 3 && !o.other && !strcmp(args[3], "-g"), "-- ends the options");
	ok(parse(&cmd, "-o - x") == 3 && !strcmp(o.any, "-"), "- is a value");
	ok(parse(&cmd, "- -f") == 2 && !strcmp(args[2], "-") && o.flag == 1, "- is an operand");
	ok(parse(&in_order, "-f ls -l --word=blue") == 2 && !strcmp(args[2], "ls") && !strcmp(args[3], "-l"), "in order: the rest is another's");
	ok(parse(&cmd, "x --help") == 0 && parse(&cmd, "-fh") == 0, "--help and -h");
	ok(parse(&cmd, "-l red,green") == 3 && !strcmp(o.list, "red,green"), "a list of words");
	ok(parse(&cmd, "-a x --again=y,z x -a -") == 6 && !strcmp(o.again[0], "x") && !strcmp(o.again[1], "y,z") && !strcmp(o.again[2], "-") && !o.again[3],
	   "an option again and again");
	ok(parse(&cmd, "") == 1 && !o.again[0], "or never");
	ok(!parse_many(OPTION_LIST_MAX) && says(parse_many(OPTION_LIST_MAX + 1), "--again", "more than"), "but not without end");
	ok(says(parse(&cmd, "--list=red,,green"), "--list", "red,,green"), "a list with a hole");
	ok(says(parse(&cmd, "--list=red,blue"), "blue", "red, green"), "a list with another word");
	ok(says(parse(&cmd, "-w blue"), "'blue'", "red, green"), "a word that is not one of them");
	ok(says(parse(&cmd, "-w re"), "'re'", "red, green"), "part of a word");
	ok(says(parse(&cmd, "--nope"), "'--nope'", "alloctop verb --help"), "unknown long option");
	ok(says(parse(&cmd, "-fx"), "'-x'", "alloctop verb --help"), "unknown letter in a cluster");
	ok(says(parse(&cmd, "--count"), "--count needs N", "alloctop verb --help"), "long option without its value");
	ok(says(parse(&cmd, "-n"), "--count needs N", ""), "letter without its value");
	ok(says(parse(&cmd, "--flag=1"), "--flag takes no value", ""), "a value for a flag");
	ok(says(parse(&cmd, "-n -1"), "'-1'", "number"), "a negative count");
	ok(says(parse(&cmd, "-n 4294967296"), "4294967296", "number"), "a count too large");
	ok(says(parse(&cmd, "--rate=lots"), "'lots'", "size"), "not a size");
	ok(says(parse(&cmd, "--seconds soon"), "'soon'", "time"), "not a time");
	printf("1..%d\n", n);
	return bad != 0;
}
