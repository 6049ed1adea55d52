/* serve_attach.c: see serve.h. An attached agent has no thread and no socket: it is read, and given orders, through the process's memory. */
#include "serve.h"

void serve_start(void) { }
void serve_stop(const char *why) { (void)why; }
void serve_end(void) { }
void serve_forked(void) { }
