/* settings.c: see settings.h. Reads the process's own `environ`, which both libcs export; changes nothing in it. */
#include "settings.h"
#include "cc.h"
#include "notice.h"
#include "sys.h"

extern char **environ WEAK;

enum kind { BYTES, NUMBER, FLAG, THREAD, TEXT };

static const struct row {
	const char *name;
	enum kind kind;
	size_t offset, size;
	uint64_t min, max;
} rows[] = {
	{ "ALLOCTOP_RATE", BYTES, offsetof(struct settings, rate), 8, 1, 1ULL << 40 },
	{ "ALLOCTOP_THREAD", THREAD, offsetof(struct settings, thread), 8, 0, 0 },
	{ "ALLOCTOP_EXACT", FLAG, offsetof(struct settings, exact), 8, 0, 1 },
	{ "ALLOCTOP_FOLLOW", FLAG, offsetof(struct settings, follow), 8, 0, 1 },
	{ "ALLOCTOP_PID", NUMBER, offsetof(struct settings, pid), 8, 1, 1 << 22 },
	{ "ALLOCTOP_DEPTH", NUMBER, offsetof(struct settings, depth), 8, 1, 128 },
	{ "ALLOCTOP_SEGMENT", TEXT, offsetof(struct settings, segment), sizeof settings.segment, 0, 0 },
	{ "ALLOCTOP_DIR", TEXT, offsetof(struct settings, dir), sizeof settings.dir, 0, 0 },
	{ "XDG_RUNTIME_DIR", TEXT, offsetof(struct settings, runtime), sizeof settings.runtime, 0, 0 },
};

static const char *const thread_words[] = { "auto", "always", "never" };

struct settings settings = { .rate = 512 << 10, .depth = 128 };

int settings_ready(void)
{
	return &environ && environ;
}

static const char *value_of(const char *name)
{
	size_t n = strlen(name);
	for (char **e = &environ ? environ : 0; e && *e; e++)
		if (!strncmp(*e, name, n) && (*e)[n] == '=') return *e + n + 1;
	return 0;
}

/* A number with an optional K, M or G (powers of 1024). Returns 0 when it is one and within the bounds. */
static int parse_number(const char *s, int suffix, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	if (*s < '0' || *s > '9') return -1;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (v > (1ULL << 58)) return -1;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	if (suffix && *s) {
		unsigned shift = *s == 'k' || *s == 'K' ? 10 : *s == 'm' || *s == 'M' ? 20 : *s == 'g' || *s == 'G' ? 30 : 0;
		if (!shift || v > max >> shift) return -1;
		v <<= shift;
		s++;
		if (*s == 'i') s++;
		if (*s == 'B' || *s == 'b') s++;
	}
	if (*s || v < min || v > max) return -1;
	*out = v;
	return 0;
}

static const char *apply(const struct row *r, const char *value)
{
	char *at = (char *)&settings + r->offset;
	size_t n = strlen(value);
	switch (r->kind) {
	case TEXT:
		if (n >= r->size) return "too long";
		memcpy(at, value, n + 1);
		return 0;
	case THREAD:
		for (unsigned i = 0; i < 3; i++)
			if (!strcmp(value, thread_words[i])) { *(uint64_t *)(void *)at = i; return 0; }
		return "not one of auto, always, never; auto is used";
	default:
		if (!parse_number(value, r->kind == BYTES, r->min, r->max, (uint64_t *)(void *)at)) return 0;
		return "not a number in range; the default is used";
	}
}

void settings_read(char *notices, size_t n)
{
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *value = value_of(rows[i].name), *complaint;
		if (value && *value && (complaint = apply(&rows[i], value))) notice_add(notices, n, rows[i].name, complaint);
	}
}

/* Below the environment, as the kernel made it, stand the arguments, their NULL, and below them their count. */
uintptr_t settings_argc(void)
{
	if (!settings_ready()) return 0;
	const uintptr_t *p = (const uintptr_t *)environ;
	if (p[-1]) return 0;            /* the program has moved it already */
	for (uintptr_t n = 0; n < 1 << 16; n++)
		if (p[-2 - (intptr_t)n] == n) return (uintptr_t)(p - 2 - n);
	return 0;
}
