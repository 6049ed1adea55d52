/* step.c: see step.h. */
#include "inspect/attach/step.h"

#include <stddef.h>

#include "inspect/target/err.h"

int (*step_hook)(const char *name);

int step(const char *name, struct err *e)
{
	return step_hook && step_hook(name) ? err_set(e, ERR_FAIL, "made to fail at: %s", name) : 0;
}
