/* columns.c: see columns.h. */
#include "inspect/model/columns.h"

#include <math.h>
#include <stdio.h>

#include "inspect/model/plain.h"
#include "inspect/model/sites.h"

static double live(const struct site_row *r, const struct sites *s) { return (void)s, r->total.live_bytes; }
/* no sample has no variance, and tells of none */
static double error(const struct site_row *r, const struct sites *s) { return (void)s, r->total.live_samples ? sqrt(r->total.live_variance) : NAN; }
static double share(const struct site_row *r, const struct sites *s) { return s->live_bytes > 0 ? r->total.live_bytes / s->live_bytes : NAN; }
static double objects(const struct site_row *r, const struct sites *s) { return (void)s, r->total.live_objects; }
static double rate(const struct site_row *r, const struct sites *s) { return (void)s, r->bytes_per_s < 0 ? NAN : r->bytes_per_s; }
static double life(const struct site_row *r, const struct sites *s) { return (void)s, r->life_s < 0 ? NAN : r->life_s; }
static double remote(const struct site_row *r, const struct sites *s) { return (void)s, r->total.freed_bytes > 0 ? r->total.remote_bytes / r->total.freed_bytes : NAN; }

static void function(const struct site_row *r, char buf[COLUMNS_TEXT])
{
	snprintf(buf, COLUMNS_TEXT, r->caller[0] ? "%s < %s" : "%s", r->function, r->caller);
	plain_text(buf);        /* the cut may have split a character */
}

const struct column columns[] = {
	{ { "live", "LIVE", 5, FIGURE_BYTES, 0, "bytes allocated here and not freed" }, live, NULL },
	{ { "error", "±", 5, FIGURE_BYTES, COLUMN_FIXED, "standard error of LIVE" }, error, NULL },
	{ { "share", "SHARE", 5, FIGURE_SHARE, 0, "of all live bytes" }, share, NULL },
	{ { "objects", "OBJS", 5, FIGURE_COUNT, 0, "blocks allocated here and not freed" }, objects, NULL },
	{ { "rate", "RATE/s", 6, FIGURE_BYTES, 0, "bytes allocated here per second, of late, or of the last minute where samples are few; -: no sample" }, rate, NULL },
	{ { "life", "LIFE", 6, FIGURE_SECONDS, COLUMN_FIXED, "median age at which blocks of this site were freed" }, life, NULL },
	{ { "remote", "REMOTE", 6, FIGURE_SHARE, COLUMN_FIXED, "of the freed bytes, those freed by another thread" }, remote, NULL },
	{ { "function", "FUNCTION < CALLER", 0, FIGURE_TEXT, 0, "who allocates, and who called it" }, NULL, function },
	{ { NULL }, NULL, NULL },
};
