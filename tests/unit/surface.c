/* surface.c: cells: clipping, wide and combining characters, hostile text, bars in UTF-8 and ASCII; keys from scripts. */
/* LINK: tui/surface.c tui/keys.c inspect/target/xalloc.c */
#include <locale.h>
#include <stdlib.h>

#include "tests/tap.h"
#include "tui/keys.h"
#include "tui/surface.h"

/* All of it is this text. */
static void is(const struct surface *s, const char *want, const char *what)
{
	char *got = surface_text(s);

	ok(!strcmp(got, want), "%s", what);
	if (strcmp(got, want)) printf("# got:\n# %s\n# want:\n# %s\n", got, want);
	free(got);
}

static void putting(void)
{
	struct surface *s = surface_new(2, 8, 0);

	ok(surface_put(s, 0, 0, 8, STYLE_PLAIN, "abc") == 3, "the column behind");
	surface_put(s, 1, 5, 100, STYLE_PLAIN, "defghij");
	is(s, "abc\n     def\n", "cut at the edge");
	surface_put(s, 7, 0, 8, STYLE_PLAIN, "x");
	surface_put(s, 0, 70, 8, STYLE_PLAIN, "x");
	is(s, "abc\n     def\n", "outside is nowhere");
	surface_clear(s);
	surface_cut(s, 0, 0, 6, STYLE_PLAIN, "abcdefgh");
	surface_cut(s, 1, 0, 6, STYLE_PLAIN, "abcdef");
	is(s, "abcd..\nabcdef\n", "what is too long says so");
	surface_clear(s);
	surface_tail(s, 0, 0, 6, STYLE_PLAIN, "abcdefgh");
	surface_tail(s, 1, 0, 6, STYLE_PLAIN, "abcdef");
	is(s, "..efgh\nabcdef\n", "or its end is kept");
	surface_clear(s);
	surface_put(s, 0, 0, 8, STYLE_PLAIN, "a\033[2J\x7f\xff");
	is(s, "a?[2J??\n\n", "no control character, no broken UTF-8");
	surface_free(s);
}

static void wide(void)
{
	struct surface *s = surface_new(1, 6, 0);

	ok(surface_put(s, 0, 0, 6, STYLE_PLAIN, "漢字") == 4, "two columns each");
	is(s, "漢字\n", "wide characters");
	surface_put(s, 0, 1, 1, STYLE_PLAIN, "x");
	is(s, " x字\n", "a half that is overwritten takes the other with it");
	surface_clear(s);
	surface_put(s, 0, 0, 3, STYLE_PLAIN, "a漢字");
	is(s, "a漢\n", "a wide one that does not fit is left out");
	surface_clear(s);
	ok(surface_put(s, 0, 0, 6, STYLE_PLAIN, "e\xcc\x81x") == 2, "a combining one takes no column");
	is(s, "e\xcc\x81x\n", "and stands over the one before");
	ok(surface_width("漢e\xcc\x81") == 3, "width");
	surface_free(s);
}

static void bars(void)
{
	struct surface *s = surface_new(2, 10, 0), *a = surface_new(2, 10, 1);
	double rising[] = { 0, 1, 2, 3, NAN, 5, 6, 7 };

	surface_bar(s, 0, 0, 4, STYLE_BAR, 0.5);
	surface_bar(s, 1, 0, 4, STYLE_BAR, 0.59375);
	is(s, "██\n██▍\n", "a bar, to an eighth");
	surface_bar(a, 0, 0, 4, STYLE_BAR, 0.5);
	surface_bar(a, 1, 0, 4, STYLE_BAR, 7);
	is(a, "##\n####\n", "in ASCII; never longer than it is");
	surface_clear(s);
	surface_bar(s, 0, 0, 4, STYLE_BAR, NAN);
	surface_spark(s, 1, 0, 8, STYLE_BAR, rising, 8, 1);
	is(s, "\n▁▂▃▄ ▆▇█\n", "no bar of the unknown; a gap in the line");
	surface_clear(a);
	surface_put(a, 0, 0, 10, STYLE_PLAIN, "1 ± 2 é");
	surface_spark(a, 1, 0, 3, STYLE_BAR, rising, 8, 1);
	is(a, "1 ~ 2 ?\n*%#\n", "replaced in ASCII; the newest");
	surface_free(s);
	surface_free(a);
}

static void keys(void)
{
	const char *script = "a<down><click 3 14><f12><lt><nonsense>";
	struct key k;

	ok(keys_script(&script, &k) == 1 && k.code == 'a', "a character");
	ok(keys_script(&script, &k) == 1 && k.code == KEYS_DOWN, "a word");
	ok(keys_script(&script, &k) == 1 && k.code == KEYS_CLICK && k.row == 3 && k.column == 14, "a click");
	ok(keys_script(&script, &k) == 1 && k.code == KEYS_F12, "F12");
	ok(keys_script(&script, &k) == 1 && k.code == '<', "<lt>");
	ok(keys_script(&script, &k) == -1, "no such key");
	ok(keys_script(&script, &k) == 0, "the end");
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	putting();
	wide();
	bars();
	keys();
	return done();
}
