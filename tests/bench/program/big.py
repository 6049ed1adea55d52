"""big: writes the sources of a program of some 100 MB with its debug information: thousands of functions that inline others, which call each
other in 5,000 different ways down to malloc. usage: big.py DIRECTORY [FILES]. The program keeps 20 blocks of each stack, then waits
for the end of its stdin."""
import pathlib
import sys

STACKS, EACH, DEPTH, FUNCTIONS = 5000, 20, 24, 150
where, files = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 300
where.mkdir(parents=True, exist_ok=True)

HEAD = """#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
struct walk { unsigned stack, depth; uint64_t sum[8]; };
typedef void step_fn(struct walk *);
extern step_fn *const step_table[];
"""

# Of an inlined call two levels deep a frame of the stack has three functions.
INLINE = """
static inline uint64_t mix_{f}(uint64_t a, uint64_t b) {{ uint64_t c = a ^ b << {r}; c *= {odd}u; return c ^ c >> 29; }}
static inline void next_{f}(struct walk *w)
{{
	unsigned width = w->depth < 13 ? 1u << w->depth : {stacks}u;
	uint64_t at = mix_{f}(w->depth * 977u, (w->stack % width) * 7919u + w->depth) % {total}u;
	w->depth++;
	step_table[at](w);
	w->depth--;
}}
static inline void enter_{f}(struct walk *w)
{{
	if (w->depth == {depth}) {{ uint64_t *p = malloc(48); if (!p) abort(); p[0] = w->sum[0]; return; }}
	next_{f}(w);
}}
struct record_{f} {{ const char *name; uint64_t key[4]; struct {{ int32_t left, right; double share; }} range[2]; struct walk *owner; }};
"""

FUNCTION = """
void module_{f}_function_{i}(struct walk *w)
{{
	struct record_{f} here = {{ .name = "function {f} {i}", .owner = w }};
	for (unsigned slot = 0; slot < 4; slot++) {{
		uint64_t before = here.key[slot], after = mix_{f}(before, w->sum[(slot + {i}) % 8]);
		here.key[slot] = after;
		if (after % {p} == 3) {{
			int32_t left = (int32_t)after, right = (int32_t)(before >> 32);
			here.range[slot % 2].left += left;
			here.range[slot % 2].right -= right;
		}}
	}}
	w->sum[{i} % 8] += here.key[{i} % 4] + strlen(here.name);
	enter_{f}(w);
	w->sum[{j} % 8] ^= mix_{f}(here.key[0], (uint64_t)here.range[0].left);
}}
"""

total = files * FUNCTIONS
for f in range(files):
    text = [HEAD, INLINE.format(f=f, r=f % 31 + 7, odd=0x9E3779B1 + 2 * f, stacks=STACKS, total=total, depth=DEPTH)]
    text += [FUNCTION.format(f=f, i=i, j=i + 3, p=5 + i % 11) for i in range(FUNCTIONS)]
    (where / f"module_{f}.c").write_text("".join(text))

names = [f"module_{f}_function_{i}" for f in range(files) for i in range(FUNCTIONS)]
(where / "main.c").write_text(
    HEAD + "".join(f"step_fn {n};\n" for n in names) + "step_fn *const step_table[] = {\n" + "".join(f"{n},\n" for n in names) + "};\n"
    + f"""int main(void)
{{
	struct walk w = {{ 0 }};
	char c;
	for (w.stack = 0; w.stack < {STACKS}; w.stack++)
		for (int i = 0; i < {EACH}; i++) step_table[0](&w);
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) > 0) ;
	return 0;
}}
""")
