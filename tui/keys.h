/* keys.h: what the user does, apart from any terminal. */
#ifndef ALLOCTOP_KEYS_H
#define ALLOCTOP_KEYS_H

#include <stdint.h>

enum {
	KEYS_UP = 0x110000,     /* beyond all characters */
	KEYS_DOWN, KEYS_LEFT, KEYS_RIGHT, KEYS_PAGE_UP, KEYS_PAGE_DOWN, KEYS_HOME, KEYS_END, KEYS_BACKSPACE, KEYS_DELETE, KEYS_BACK_TAB,
	KEYS_CLICK, KEYS_WHEEL_UP, KEYS_WHEEL_DOWN,
	KEYS_REDRAW,            /* another size, or back from the background */
	KEYS_F1,                /* to F12 */
	KEYS_F12 = KEYS_F1 + 11,
	KEYS_ENTER = '\n', KEYS_TAB = '\t', KEYS_ESCAPE = 27,
};

struct key { uint32_t code; unsigned row, column; /* of the mouse */ };

/* Keys from a script: "2<down><enter>/lp<enter>", "<click ROW COLUMN>", "<f1>", "<space>", "<lt>". One key; moves *script on. 0 at its end,
   -1 when it names no key. */
int keys_script(const char **script, struct key *k);

#endif
