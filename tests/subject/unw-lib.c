/* unw-lib: a library to be opened and closed by unw-c; calls back from some frames of its own. */
/* CFLAGS: -shared -fPIC */
void unw_lib_call(void (*fn)(void), int depth);

void unw_lib_call(void (*fn)(void), int depth)
{
	volatile int keep = depth;
	if (depth > 0) unw_lib_call(fn, depth - 1);
	else fn();
	keep = keep + 1;
}
