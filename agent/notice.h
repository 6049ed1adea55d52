/* notice.h: what the agent has to say, which never prints: lines in the segment's header. */
#ifndef AGENT_NOTICE_H
#define AGENT_NOTICE_H

#include <stddef.h>

/* Appends one line "subject: text" to NUL-terminated notices of n bytes, if it fits. */
void notice_add(char *notices, size_t n, const char *subject, const char *text);

#endif
