/* keys.c: keys from a script. */
#include "tui/keys.h"

#include <stdio.h>
#include <string.h>

int keys_script(const char **script, struct key *k)
{
	static const struct { const char *name; uint32_t code; } word[] = {
		{ "up", KEYS_UP }, { "down", KEYS_DOWN }, { "left", KEYS_LEFT }, { "right", KEYS_RIGHT }, { "pgup", KEYS_PAGE_UP }, { "pgdn", KEYS_PAGE_DOWN },
		{ "home", KEYS_HOME }, { "end", KEYS_END }, { "backspace", KEYS_BACKSPACE }, { "backtab", KEYS_BACK_TAB }, { "wheelup", KEYS_WHEEL_UP },
		{ "wheeldown", KEYS_WHEEL_DOWN }, { "enter", KEYS_ENTER }, { "tab", KEYS_TAB }, { "esc", KEYS_ESCAPE }, { "space", ' ' }, { "lt", '<' },
	};
	const char *s = *script, *end = strchr(s, '>');
	unsigned f;

	*k = (struct key){ 0 };
	if (!*s) return 0;
	if (*s != '<') {
		k->code = (unsigned char)*s;
		*script = s + 1;
		return 1;
	}
	if (!end) return -1;
	*script = end + 1;
	if (sscanf(s, "<click %u %u>", &k->row, &k->column) == 2) {
		k->code = KEYS_CLICK;
		return 1;
	}
	if (sscanf(s, "<f%u>", &f) == 1 && f >= 1 && f <= 12) {
		k->code = KEYS_F1 + f - 1;
		return 1;
	}
	for (size_t i = 0; i < sizeof word / sizeof *word; i++)
		if (strlen(word[i].name) == (size_t)(end - s - 1) && !strncmp(s + 1, word[i].name, strlen(word[i].name))) {
			k->code = word[i].code;
			return 1;
		}
	return -1;
}
