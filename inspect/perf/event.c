/* event.c: see event.h. */
#include "inspect/perf/event.h"

#include <perfmon/pfmlib_perf_event.h>
#include <stdio.h>
#include <string.h>

#include "inspect/target/err.h"

static int parse(const char *name, size_t n, struct event *ev, struct err *e)
{
	pfm_perf_encode_arg_t arg = { .attr = &ev->attr, .size = sizeof arg };
	int r;

	*ev = (struct event){ .attr.size = sizeof ev->attr };
	if (!n || n >= sizeof ev->name) return err_set(e, ERR_USAGE, "no event '%.*s'", (int)(n < 80 ? n : 80), name);
	memcpy(ev->name, name, n);
	r = pfm_get_os_event_encoding(ev->name, PFM_PLM0 | PFM_PLM3, PFM_OS_PERF_EVENT, &arg);
	if (r != PFM_SUCCESS) return err_set(e, ERR_USAGE, "no event '%s': %s (perf list names those there are)", ev->name, pfm_strerror(r));
	ev->hardware = ev->attr.type != PERF_TYPE_SOFTWARE && ev->attr.type != PERF_TYPE_TRACEPOINT;
	return 0;
}

int event_parse(const char *names, struct event *out, struct err *e)
{
	int n = 0, r = pfm_initialize();

	if (r != PFM_SUCCESS) return err_set(e, ERR_UNSUPPORTED, "libpfm4: %s", pfm_strerror(r));
	for (const char *p = names;; p++) {
		size_t len = strcspn(p, ",");
		if (n == EVENTS_MAX) return err_set(e, ERR_USAGE, "at most %d events", EVENTS_MAX);
		if (parse(p, len, &out[n], e)) return -1;
		n++;
		p += len;
		if (!*p) return n;
	}
}

int event_is_clock(const struct event *ev)
{
	return ev->attr.type == PERF_TYPE_SOFTWARE && (ev->attr.config == PERF_COUNT_SW_CPU_CLOCK || ev->attr.config == PERF_COUNT_SW_TASK_CLOCK);
}
