/* set.c: alloctop set: orders to an agent while its program runs. All of them are understood before the first is given. */
#include "cmd/cmd.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cmd/options.h"
#include "cmd/pid.h"
#include "cmd/source.h"
#include "inspect/client/agent.h"
#include "inspect/model/units.h"
#include "inspect/target/err.h"

enum { ORDERS_MAX = 16 };

struct order { enum agent_order order; uint64_t value; };

static int parse(const char *word, struct order *out, struct err *e)
{
	static const struct { const char *word; enum agent_order order; } plain[] = {
		{ "stop", AGENT_STOP }, { "start", AGENT_START }, { "reset", AGENT_RESET },
		{ "time=on", AGENT_TIME }, { "time=off", AGENT_TIME },
	};

	*out = (struct order){ 0 };
	if (!strncmp(word, "rate=", 5)) {
		out->order = AGENT_RATE;
		if (!options_bytes(word + 5, &out->value) && out->value && out->value <= 1ULL << 40) return 0;
		return err_set(e, ERR_USAGE, "set: '%s': a rate is a size from 1 to 1T (as in rate=512K)", word);
	}
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
		if (strcmp(word, plain[i].word)) continue;
		out->order = plain[i].order;
		out->value = !strcmp(word, "time=on");
		return 0;
	}
	return err_set(e, ERR_USAGE, "set: '%s' is none of rate=SIZE, stop, start, reset, time=on, time=off", word);
}

/* What the agent now says of itself, not what it was told. */
static int report(struct source *src, struct err *e)
{
	struct snapshot s;
	char rate[UNITS_MAX];

	if (source_snapshot(src, &s, e)) return -1;
	printf("%d %s: one sample per %s, %s%s\n", (int)src->pid, src->program, units_setting(s.rate, rate),
	       s.running ? "running" : "stopped", s.timing_on ? ", timing calls" : "");
	snapshot_free(&s);
	return 0;
}

static int run(void *none, int argc, char **argv, struct err *e)
{
	struct order order[ORDERS_MAX];
	struct source src;
	int n = argc - 1, status = 0;

	(void)none;
	if (argc < 1) return err_set(e, ERR_USAGE, "set: which process? (see: alloctop set --help)");
	if (n < 1) return err_set(e, ERR_USAGE, "set: what? One of rate=SIZE, stop, start, reset, time=on, time=off (see: alloctop set --help)");
	if (n > ORDERS_MAX) return err_set(e, ERR_USAGE, "set: at most %d orders at once, not %d", ORDERS_MAX, n);
	for (int i = 0; i < n; i++)
		if (parse(argv[i + 1], &order[i], e)) return -1;
	if (!source_open(&src, argv[0], NULL, e)) {
		for (int i = 0; i < n && !status; i++) status = agent_command(src.agent, order[i].order, order[i].value, e);
		if (!status) status = report(&src, e);
	} else {
		status = -1;
	}
	source_close(&src);
	return status;
}

static const struct option_row options[] = {
	PID_NS_OF,
	{ 0 },
};

const struct cmd cmd_set = {
	.name = "set",
	.summary = "Give an agent orders: another rate, stop, start, reset",
	.arguments = "PID|NAME rate=SIZE|stop|start|reset|time=on|time=off...",
	.options = options,
	.run = run,
};
