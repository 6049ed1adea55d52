/* rule.h: a rule is one file with one const struct rule at its end, and a row in rules.c. It looks at facts and at nothing else, and when its
 * figures pass its threshold it makes a finding: what is wrong, the figures that say so, why, what to do, and how to see that it helped. */
#ifndef ALLOCTOP_RULE_H
#define ALLOCTOP_RULE_H

#include <stddef.h>

struct facts;
struct rule;

enum finding_certainty { FINDING_POSSIBLE, FINDING_LIKELY, FINDING_CERTAIN };

/* The lines of a finding, in the order in which they are shown. */
enum finding_part {
	FINDING_EVIDENCE,       /* quotes the measured figure and the threshold it passes */
	FINDING_FROM,           /* a site or stack, with its share */
	FINDING_CAUSE,          /* one sentence */
	FINDING_DO,             /* exact, for this allocator, version and deployment: see recipe.h */
	FINDING_EFFECT,         /* what is to be expected of it */
	FINDING_CHECK,          /* the command that shows whether it helped */
	FINDING_PARTS
};
struct finding_line { enum finding_part part; char *text; };

struct finding {
	const struct rule *rule;
	char headline[240];             /* begins with the subject: "musl malloc lock: 5.6 of 8 threads inside" */
	struct finding_line *line; size_t nlines;
	enum finding_certainty certainty;
	double cost_threads;            /* thread-seconds lost per second; 0 none */
	double cost_bytes;              /* bytes that would be given back or not be used up (in an hour, where it grows); 0 none */
};

enum rule_answer {
	RULE_NO,                        /* figures are there, and below the threshold; or it is about another allocator */
	RULE_YES,                       /* *f is filled */
	RULE_UNKNOWN,                   /* it would apply, but its figures are not there: f->headline says what is missing */
};

struct rule {
	const char *name;               /* "musl-lock": for --explain, JSON, man page; unique */
	const char *kind;               /* "CONTENTION", "LEAK", "RETENTION", "FRAGMENTATION", "CHURN", "WASTE", "HUGE-PAGES", "NUMA", "SETUP", "NOT-MALLOC" */
	const char *title;              /* a phrase, lower case: "threads wait for musl's one malloc lock" */
	const char *explanation;        /* a paragraph: how it comes about, why these figures tell, what helps and what does not */
	const char *threshold;          /* in words, with the numbers that the code has */
	const char *source;             /* where this is known from: a manual, a source file, an issue */
	enum rule_answer (*test)(const struct facts *facts, struct finding *f);         /* f is zeroed but for rule */
};

extern const struct rule *const rules[];        /* ends with NULL */
const struct rule *rule_find(const char *name);

/* For tests of rules. Lines keep their order within a part. */
void finding_headline(struct finding *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void finding_say(struct finding *f, enum finding_part part, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* f->headline = …, and RULE_UNKNOWN. */
enum rule_answer finding_missing(struct finding *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void finding_clear(struct finding *f);

const char *finding_part_name(enum finding_part p);     /* "from", "do": as shown */
const char *finding_certainty_name(enum finding_certainty c);

#endif
