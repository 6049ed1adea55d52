/* screen.h: how wide plain text may be, and waiting between two pieces of it. The screen that stays is tui/'s. */
#ifndef ALLOCTOP_SCREEN_H
#define ALLOCTOP_SCREEN_H

/* Of the terminal on standard output, else $LINES and $COLUMNS, else 24 by 80. */
void screen_size(unsigned *rows, unsigned *columns);

/* Waits so long; an interrupt ends the command. */
void screen_wait(double seconds);

#endif
