/* units.h: numbers for people. Five characters and a sign at most for bytes and counts, seven for times, so that columns stand
 * still. Each returns buf. */
#ifndef ALLOCTOP_UNITS_H
#define ALLOCTOP_UNITS_H

#include <stddef.h>
#include <stdint.h>

enum { UNITS_MAX = 24 };

/* Powers of 1024: "0", "512", "1.50K", "12.3M". */
char *units_bytes(double v, char buf[UNITS_MAX]);
/* Powers of 1000: "999", "1.50k", "12.3M". */
char *units_count(double v, char buf[UNITS_MAX]);
/* "12ms", "3.4s", "5m12s", "2h03m", "4d02h"; "-" below zero: unknown. */
char *units_seconds(double v, char buf[UNITS_MAX]);
/* Of nanoseconds: "0", "812ns", "55.6ms", "12.3s", seconds to the last; a sign where it is negative. */
char *units_nanoseconds(double v, char buf[UNITS_MAX]);
/* A setting, exactly: "512K", "1M", "1000". */
char *units_setting(uint64_t v, char buf[UNITS_MAX]);

#endif
