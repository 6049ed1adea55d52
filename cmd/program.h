/* program.h: which file a command means, as execvp finds it. */
#ifndef ALLOCTOP_PROGRAM_H
#define ALLOCTOP_PROGRAM_H

/* Malloc'ed, NULL when there is none. A name with a slash is taken as it is. */
char *program_find(const char *name);
/* Can this file be executed? Not a directory, which has that bit as well. */
int program_is(const char *file);

#endif
