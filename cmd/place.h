/* place.h: where files that come with alloctop are. */
#ifndef ALLOCTOP_PLACE_H
#define ALLOCTOP_PLACE_H

struct err;

/* The first that can be read: $env when it is set, beside the command, where `make install` puts it. Malloc'ed, NULL with *e, which begins
   with the verb. */
char *place_find(const char *verb, const char *file, const char *env, struct err *e);

#endif
