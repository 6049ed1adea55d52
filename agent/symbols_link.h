/* symbols_link.h: functions beside those of entries.h that an agent linked into a program calls, one row each. Included with several meanings of
 * the macros; no guard.
 *
 *   REAL(name)    wrapped: its callers come to us (alloctop.pc has the linker's options), and it is always there
 *   MAYBE(name)   wrapped where the program has it
 *   PLAIN(name)   not wrapped */
REAL(malloc)
REAL(free)
MAYBE(xallocx)
MAYBE(malloc_usable_size)
REAL(pthread_create)
REAL(fork)
REAL(prctl)
REAL(syscall)
REAL(mlockall)
REAL(setrlimit)
REAL(prlimit)
MAYBE(setrlimit64)
MAYBE(prlimit64)
PLAIN(clock_gettime)
PLAIN(pthread_key_create)
PLAIN(pthread_setspecific)
PLAIN(pthread_attr_init)
PLAIN(pthread_attr_setstacksize)
PLAIN(pthread_attr_setdetachstate)
