/* identity.h: what kind of program a process is, and how its allocators got there. For use by collect.c. */
#ifndef ALLOCTOP_IDENTITY_H
#define ALLOCTOP_IDENTITY_H

struct facts;
struct target;

/* f->id; f->heap must have been read, or be empty. */
void identity_fill(struct facts *f, const struct target *t);
/* f->deployed, for f->heap. */
void identity_deployed(struct facts *f, const struct target *t);

#endif
