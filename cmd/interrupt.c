/* interrupt.c: see interrupt.h. */
#include "cmd/interrupt.h"

#include <signal.h>
#include <stddef.h>

int interrupt_came;

static void on_signal(int sig)
{
	(void)sig;
	__atomic_store_n(&interrupt_came, 1, __ATOMIC_RELAXED);
}

void interrupt_catch(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_RESTART }, hup;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (!sigaction(SIGHUP, NULL, &hup) && hup.sa_handler != SIG_IGN) sigaction(SIGHUP, &sa, NULL);
}
