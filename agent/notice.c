/* notice.c: see notice.h. */
#include "notice.h"
#include "sys.h"

void notice_add(char *notices, size_t n, const char *subject, const char *text)
{
	size_t at = strlen(notices), a = strlen(subject), b = strlen(text);
	if (at + a + b + 4 > n) return;
	memcpy(notices + at, subject, a);
	memcpy(notices + at + a, ": ", 2);
	memcpy(notices + at + a + 2, text, b);
	memcpy(notices + at + a + 2 + b, "\n", 2);
}
