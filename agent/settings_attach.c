/* settings_attach.c: see settings.h. They were written into the block from outside; the environment is not looked at. */
#include "settings.h"
#include "attach_block.h"

struct settings settings = { .thread = SETTINGS_THREAD_NEVER };

int settings_ready(void)
{
	return ACQUIRE(alloctop_attach.state) == ATTACH_ACTIVE;
}

void settings_read(char *notices, size_t n)
{
	(void)notices, (void)n;
	settings.rate = alloctop_attach.rate ? alloctop_attach.rate : 1;
	settings.depth = alloctop_attach.depth && alloctop_attach.depth <= WIRE_DEPTH_MAX ? alloctop_attach.depth : WIRE_DEPTH_MAX;
}

uintptr_t settings_argc(void)
{
	return alloctop_attach.stack_top;
}
