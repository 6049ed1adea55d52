/* screen.h: a surface on a terminal, and the keys of its user. screen.c is the only file that knows curses. One screen at a time. */
#ifndef ALLOCTOP_TUI_SCREEN_H
#define ALLOCTOP_TUI_SCREEN_H

struct err;
struct key;
struct surface;

/* Takes the terminal over until screen_close, also when a signal or a crash ends the command. -1 with *e for a terminal that cannot. */
int screen_open(struct err *e);
void screen_close(void);

/* A surface of the terminal's size, now. */
struct surface *screen_surface(void);
void screen_draw(const struct surface *s);
/* Waits for a key, so many seconds at most, or until one of the descriptors is readable (-1: none): 1 with *k, 0 otherwise; -1: it is to end
   (a signal, the terminal is gone), the signal in *sig (0: none). */
int screen_key(struct key *k, double seconds, const int *descriptor, int ndescriptors, int *sig);
/* Stops the command as ^Z does. */
void screen_stop(void);

#endif
