/* feed.h: where states come from while the screen is used: a thread of its own reads the target, so that keys are answered at once.
 * observe.c reads one process, census.c all of them. A feed embeds this as its first member. */
#ifndef ALLOCTOP_FEED_H
#define ALLOCTOP_FEED_H

struct feed;
struct state;

struct feed_ops {
	/* Becomes readable when there is a new state. */
	int (*descriptor)(const struct feed *f);
	/* The newest state, once; the caller is its user. NULL: nothing new. */
	struct state *(*take)(struct feed *f);
	/* Which tables are looked at, as bits 1 << enum state_table: those that are dear are made only then. */
	void (*want)(struct feed *f, unsigned tables);
	/* Whether threads of the target may be stopped for a moment: only ever after its user was told what that means. NULL: never. */
	void (*permit)(struct feed *f, int stops);
	/* The process may have got an agent, or lost it: to be looked for with the next state. NULL: nobody looks for one. */
	void (*look)(struct feed *f);
	void (*close)(struct feed *f);
};

struct feed { const struct feed_ops *ops; };

#endif
