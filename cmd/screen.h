/* screen.h: a terminal as far as the plain screens need it: its size, redrawing in place, one key. */
#ifndef ALLOCTOP_SCREEN_H
#define ALLOCTOP_SCREEN_H

/* Of the terminal on standard output, else $LINES and $COLUMNS, else 24 by 80. */
void screen_size(unsigned *rows, unsigned *columns);

/* Takes the terminal over (the other screen, keys unechoed) until screen_end, also when a signal ends the command. */
void screen_begin(void);
void screen_end(void);
/* Everything printed until screen_flip appears in place of what was there. */
void screen_clear(void);
void screen_flip(void);

enum screen_event { SCREEN_TIME, SCREEN_QUIT, SCREEN_REDRAW };
/* Waits so long for q, an interrupt or a new size. Without screen_begin: just waits, an interrupt ends the command. */
enum screen_event screen_wait(double seconds);

#endif
