/* snapshot.c: words for every loss, and the median of a lifetime histogram. */
/* LINK: inspect/model/snapshot.c */
#include "inspect/model/snapshot.h"

#include "tests/tap.h"

static void losses(void)
{
	for (unsigned i = 0; i <= WIRE_LOST_SLOT; i++) {
		const char *name = snapshot_loss_name(i), *text = snapshot_loss_text(i);
		ok(name && text && *name && *text && strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name), "loss %u has words: %s", i, name);
		for (unsigned j = 0; j < i; j++)
			if (!strcmp(name, snapshot_loss_name(j))) ok(0, "%s names two losses", name);
	}
	ok(!snapshot_loss_name(WIRE_LOST_SLOT + 1) && !snapshot_loss_text(WIRE_LOSSES), "none past the last");
}

static void medians(void)
{
	struct snapshot s = { .ticks_per_s = 1024 };
	struct snap_site site = { .lifetime = { 0 } };

	ok(snapshot_median_lifetime(&s, &site) == -1, "no freed sample, no median");
	site.lifetime[5] = 100;
	/* bucket 5: [2^18, 2^20) ticks; the middle of it on the logarithm is 2^19 ticks = 512 s */
	near(snapshot_median_lifetime(&s, &site), 512, "all in one bucket: its middle");
	site.lifetime[0] = 100;
	near(snapshot_median_lifetime(&s, &site), 1, "half of them in the first: where that ends");
	site.lifetime[0] = 1;
	double m = snapshot_median_lifetime(&s, &site);
	ok(m > 256 && m < 512, "one short life moves the median a little down: %g", m);
	site.lifetime[WIRE_LIFETIMES - 1] = UINT32_MAX;
	m = snapshot_median_lifetime(&s, &site);
	ok(m >= 0x1p54 / 1024 && m <= 0x1p56 / 1024, "the last bucket: %g", m);
	s.ticks_per_s = 0;
	ok(snapshot_median_lifetime(&s, &site) == -1, "unknown clock, no median");
}

int main(void)
{
	losses();
	medians();
	snapshot_free(NULL);
	return done();
}
