/* heap_text.c: a struct heap for people: what it is, where the memory went, and what stands out. Fits 80 columns. */
#include "cmd/heap.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/heap.h"
#include "inspect/model/plain.h"
#include "inspect/model/units.h"
#include "inspect/target/proc.h"
#include "inspect/target/target.h"

enum { LINE = 1024, BAR = 18, NAME = 42 };

char *heap_figure(const struct heap_look *look, uint64_t v, char buf[32])
{
	char units[UNITS_MAX];

	if (v == HEAP_UNKNOWN) snprintf(buf, 32, "-");
	else if (look->exact) snprintf(buf, 32, "%" PRIu64, v);
	else snprintf(buf, 32, "%s", units_bytes((double)v, units));
	return buf;
}

char *heap_count(const struct heap_look *look, uint64_t v, char buf[32])
{
	char units[UNITS_MAX];

	if (v == HEAP_UNKNOWN) snprintf(buf, 32, "-");
	else if (look->exact) snprintf(buf, 32, "%" PRIu64, v);
	else snprintf(buf, 32, "%s", units_count((double)v, units));
	return buf;
}

char *heap_bar(double part, unsigned width, char *buf, size_t n)
{
	unsigned full = part <= 0 ? 0 : part >= 1 ? width : (unsigned)(part * width + 0.5), i;

	for (i = 0; i < full && i + 1 < n; i++) buf[i] = '#';
	buf[i] = 0;
	return buf;
}

static void put(const struct heap_look *look, const char *before, const char *after, const char *fmt, va_list ap)
{
	char buf[LINE];

	vsnprintf(buf, sizeof buf, fmt, ap);
	plain_cut(plain_text(buf), look->width);
	for (size_t n = strlen(buf); n && buf[n - 1] == ' '; n--) buf[n - 1] = 0;
	printf("%s%s%s\n", look->colour ? before : "", buf, look->colour ? after : "");
}

void heap_line(const struct heap_look *look, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(look, "", "", fmt, ap);
	va_end(ap);
}

void heap_title(const struct heap_look *look, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(look, "\033[1m", "\033[0m", fmt, ap);
	va_end(ap);
}

static void head(const struct heap_reading *r, const struct heap_look *look)
{
	const struct heap *h = r->heap;
	char a[32], b[UNITS_MAX], how[160] = "", label[PROC_LABEL];

	if (r->core) heap_title(look, "%s  core file  %zu threads  memory in it %s", r->program, r->target->nthreads, heap_figure(look, h->ledger.rss, a));
	else heap_title(look, "%s  %s  up %s  %zu thread%s  rss %s", r->program, proc_label(r->target->pid, r->target->proc.inner_pid, label), units_seconds(r->target->proc.uptime_s, b),
	                r->target->nthreads, r->target->nthreads == 1 ? "" : "s", heap_figure(look, h->ledger.rss, a));
	if (h->retries) snprintf(how, sizeof how, ", %u more tries", h->retries);
	if (h->frozen_s > 0) snprintf(how, sizeof how, ", it stood still for %.1f ms%s", h->frozen_s * 1e3, h->frozen_late ? " and was let go before the end" : "");
	heap_line(look, "read %s in %.1f ms%s", h->full ? "in full" : "quickly", h->read_s * 1e3, how);
}

static const char *use(const struct heap_allocator *a)
{
	if (a->in_use) return "the program's";
	return a->live_bytes && a->live_bytes != HEAP_UNKNOWN ? "libc's own" : "idle";
}

static void allocator_text(const struct heap_allocator *a, const struct heap_look *look)
{
	char live[32], objects[32], requested[32], text[LINE];
	size_t n;

	heap_line(look, "  %s%s%s in %s: %s", a->name, *a->version ? " " : "", a->version, a->owner, use(a));
	n = (size_t)snprintf(text, sizeof text, "    live %s in %s objects", heap_figure(look, a->live_bytes, live), heap_count(look, a->live_objects, objects));
	if (a->requested_bytes != HEAP_UNKNOWN) n += (size_t)snprintf(text + n, sizeof text - n, " (%s requested)", heap_figure(look, a->requested_bytes, requested));
	n += (size_t)snprintf(text + n, sizeof text - n, ", free %s", heap_figure(look, a->free_bytes, live));
	if (a->cached_bytes && a->cached_bytes != HEAP_UNKNOWN) snprintf(text + n, sizeof text - n, ", in thread caches %s", heap_figure(look, a->cached_bytes, live));
	if (a->status != HEAP_UNSUPPORTED) heap_line(look, "%s", text);
	heap_line(look, "    %s", a->evidence);
	if (a->status == HEAP_TORN) heap_title(look, "    torn: %" PRIu64 " piece%s made no sense, figures are near: %s", a->bad, a->bad == 1 ? "" : "s", a->status_text);
	else if (a->status == HEAP_UNSUPPORTED) heap_title(look, "    cannot be read: %s", a->status_text);
	else if (*a->status_text) heap_line(look, "    %s", a->status_text);
}

static void allocators_text(const struct heap *h, const struct heap_look *look)
{
	puts("");
	heap_title(look, "allocators");
	for (size_t i = 0; i < h->nallocators; i++) allocator_text(&h->allocator[i], look);
	if (!h->nallocators) heap_line(look, "  none that is known: what follows is the kernel's side alone");
}

static void ledger_text(const struct heap_reading *r, const struct heap_look *look)
{
	const struct ledger *l = &r->heap->ledger;
	char figure[32], bar[BAR + 1], b[4][32];
	unsigned w = look->exact ? 15 : 7, room = look->exact ? BAR - 8 : BAR;

	puts("");
	heap_title(look, "  %-*s %*s %6s", NAME, r->core ? "where the memory is" : "where the resident memory is", (int)w, "bytes", "%");
	for (size_t i = 0; i < l->nrows; i++) {
		const struct ledger_row *row = &l->row[i];
		double part = l->rss ? (double)row->bytes / (double)l->rss : 0;
		/* of a note as much as there is room for: what comes before the colon */
		heap_bar(part, room, bar, sizeof bar);
		if (*row->note) snprintf(bar, sizeof bar, "%.*s", (int)strcspn(row->note, ":"), row->note);
		heap_line(look, "  %-*.*s %*s %6.1f %s", NAME, NAME, row->name, (int)w, heap_figure(look, row->bytes, figure), part * 100, bar);
	}
	heap_title(look, "  %-*s %*s %6.1f", NAME, r->core ? "sum" : "sum: rss", (int)w, heap_figure(look, l->rss, figure), 100.0);
	heap_line(look, "  beside: returned but kept %s, lazily freed %s, swapped %s, huge pages %s", heap_figure(look, l->retained, b[0]),
	          heap_figure(look, l->lazy_free, b[1]), heap_figure(look, l->swapped, b[2]), heap_figure(look, l->huge, b[3]));
}

static void nodes_text(const struct heap *h, const struct heap_look *look)
{
	char a[32], b[32];

	for (size_t i = 0; i < h->nnodes; i++)
		heap_line(look, "  on node %u: anonymous %s, of files %s", h->node[i].node, heap_figure(look, h->node[i].anonymous, a),
		          heap_figure(look, h->node[i].file, b));
}

static void fragmentation_text(const struct heap *h, const struct heap_look *look)
{
	const struct ledger *l = &h->ledger;
	char a[32], b[32], inside[64] = "not known", outside[64] = "";
	int known = 0, told = 1;

	for (size_t i = 0; i < h->nallocators; i++) {
		known |= h->allocator[i].in_use && h->allocator[i].requested_bytes != HEAP_UNKNOWN;
		told &= h->allocator[i].live_bytes != HEAP_UNKNOWN || h->allocator[i].free_bytes != HEAP_UNKNOWN || h->allocator[i].mapped == 0;
	}
	if (known) snprintf(inside, sizeof inside, "%s rounding", heap_figure(look, l->internal, a));
	snprintf(outside, sizeof outside, "%.1f %%", l->external_resident ? 100.0 * (double)l->external_free / (double)l->external_resident : 0.0);
	heap_line(look, "  fragmentation: internal %s, external %s (%s%s of %s is free)", inside, told ? outside : "not known", told ? "" : "at least ",
	          heap_figure(look, l->external_free, a), heap_figure(look, l->external_resident, b));
}

void heap_text(const struct heap_reading *r, const struct heap_look *look)
{
	head(r, look);
	if (!look->by) {
		allocators_text(r->heap, look);
		ledger_text(r, look);
		nodes_text(r->heap, look);
		fragmentation_text(r->heap, look);
	}
	heap_text_by(r, look);
}

/* "+1.2M" */
static char *per_second(const struct heap_look *look, uint64_t now, uint64_t before, double s, char buf[40])
{
	char figure[32];

	if (now == HEAP_UNKNOWN || before == HEAP_UNKNOWN || s <= 0) snprintf(buf, 40, "-");
	else snprintf(buf, 40, "%s%s", now > before ? "+" : now < before ? "-" : "", heap_figure(look, (uint64_t)((double)(now > before ? now - before : before - now) / s), figure));
	return buf;
}

void heap_text_series(const struct heap_reading *r, const struct heap_look *look)
{
	static const struct heap_allocator none = { .name = "none" };
	const struct heap *h = r->heap, *b = r->before;
	const struct heap_allocator *a = h->nallocators ? h->allocator : &none, *p = b && b->nallocators ? b->allocator : &none;
	char f[6][40];
	int w = look->exact ? 14 : 8;

	if (!b) heap_title(look, "%-12s %*s %*s %*s %*s %*s %*s", "allocator", w, "rss", w, "per s", w, "live", w, "per s", w, "objects", w, "free");
	heap_line(look, "%-12.12s %*s %*s %*s %*s %*s %*s", a->name, w, heap_figure(look, h->ledger.rss, f[0]), w,
	          b ? per_second(look, h->ledger.rss, b->ledger.rss, r->interval_s, f[1]) : "", w, heap_figure(look, a->live_bytes, f[2]), w,
	          b ? per_second(look, a->live_bytes, p->live_bytes, r->interval_s, f[3]) : "", w, heap_count(look, a->live_objects, f[4]), w,
	          heap_figure(look, a->free_bytes, f[5]));
}
