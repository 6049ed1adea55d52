/* units.c: see units.h. */
#include "inspect/model/units.h"

#include <math.h>
#include <stdio.h>

/* Three digits that count. `limit` is where four digits would appear: there the next suffix begins. */
static char *scaled(double v, double base, const char *suffix, char buf[UNITS_MAX])
{
	double a = fabs(v);

	if (!isfinite(v)) a = v = 0;
	if (a < 999.5) {
		/* an estimate of 0.3 objects is not 0, and 12.4 of them are 12 */
		snprintf(buf, UNITS_MAX, a > 0 && a < 9.95 && fabs(a - round(a)) > 0.05 ? "%.1f" : "%.0f", v);
		return buf;
	}
	do v /= base, a /= base; while (a >= 999.5 && suffix[1] && suffix++);
	snprintf(buf, UNITS_MAX, "%.*f%c", a < 9.995 ? 2 : a < 99.95 ? 1 : 0, v, *suffix);
	return buf;
}

char *units_bytes(double v, char buf[UNITS_MAX]) { return scaled(v, 1024, "KMGTPE", buf); }

char *units_count(double v, char buf[UNITS_MAX]) { return scaled(v, 1000, "kMGTPE", buf); }

char *units_seconds(double v, char buf[UNITS_MAX])
{
	if (!(v >= 0)) snprintf(buf, UNITS_MAX, "-");
	else if (v == 0) snprintf(buf, UNITS_MAX, "0s");
	else if (v < 1e-3) snprintf(buf, UNITS_MAX, "%.0fus", v * 1e6);
	else if (v < 0.9995) snprintf(buf, UNITS_MAX, "%.0fms", v * 1e3);
	else if (v < 59.95) snprintf(buf, UNITS_MAX, "%.1fs", v);
	else if (v < 3599.5) snprintf(buf, UNITS_MAX, "%dm%02ds", (int)(v + 0.5) / 60, (int)(v + 0.5) % 60);
	else if (v < 86400) snprintf(buf, UNITS_MAX, "%dh%02dm", (int)v / 3600, (int)v / 60 % 60);
	else snprintf(buf, UNITS_MAX, "%.0fd%02dh", floor(fmin(v, 8.64e8) / 86400), (int)(fmin(v, 8.64e8) / 3600) % 24);
	return buf;
}

char *units_nanoseconds(double v, char buf[UNITS_MAX])
{
	static const char *const unit[] = { "ns", "us", "ms", "s" };
	double a = fabs(v);
	unsigned i = 0;

	for (; i < 3 && a >= 999.5; i++) a /= 1000;
	if (!(a >= 0.5) && !i) snprintf(buf, UNITS_MAX, "0");
	else snprintf(buf, UNITS_MAX, "%s%.*f%s", v < 0 ? "-" : "", !i || a >= 99.95 ? 0 : a >= 9.995 ? 1 : 2, fmin(a, 1e9), unit[i]);
	return buf;
}

char *units_setting(uint64_t v, char buf[UNITS_MAX])
{
	static const char suffix[] = "\0KMGT";
	int i = 0;

	while (v && v % 1024 == 0 && i < 4) v /= 1024, i++;
	snprintf(buf, UNITS_MAX, suffix[i] ? "%llu%c" : "%llu", (unsigned long long)v, suffix[i]);
	return buf;
}
