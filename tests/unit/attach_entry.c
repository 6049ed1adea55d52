/* attach_entry.c: everything together, in one process: the functions of its libc are found, get jumps at their entries to the attachable image's
 * hooks, and record. Internal calls come to the hooks too (realloc calls malloc, memalign does for small alignments): each block must be
 * counted once, whichever way it was made. Put back, everything is as it was. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "inspect/attach/entry.h"
#include "inspect/attach/functions.h"
#include "inspect/attach/loaded.h"
#include "inspect/target/maps.h"
#include "inspect/target/target.h"
#include "tests/attach.h"
#include "tests/tap.h"

enum { PATCHES = 64, THREADS = 8, EACH = 2000 };

static struct entry_plan plan[PATCHES];
static struct attach_entry *of[PATCHES];
static unsigned plans;
static uint64_t text, text_end;

/* Without a call of what is being changed. */
static void store(int restore)
{
	for (unsigned i = 0; i < plans; i++) {
		volatile uint8_t *to = (volatile uint8_t *)plan[i].address;
		for (int k = 0; k < ENTRY_JUMP; k++) to[k] = restore ? plan[i].old[k] : plan[i].new[k];
	}
}

static int find(void)
{
	static const char *const names[] = {
		"malloc", "free", "calloc", "memalign", "aligned_alloc", "valloc", "pvalloc", "realloc", "reallocarray", "posix_memalign", "__libc_malloc", "__libc_free",
	};
	struct target t;
	struct loadeds l;
	struct functions f;
	struct err e = { 0 };

	if (target_open_pid(&t, getpid(), &e)) return 0;
	loaded_read(&l, &t);
	functions_find(&f, &t, &l, names, sizeof names / sizeof *names);
	uint64_t libc = (uint64_t)dlsym(RTLD_DEFAULT, "malloc");
	const struct loaded *o = loaded_find(&l, libc);
	for (unsigned i = 0; i < o->nphdr; i++)
		if (o->phdr[i].p_type == PT_LOAD && o->phdr[i].p_flags & PF_X) text = (o->bias + o->phdr[i].p_vaddr) & -4096ul, text_end = text + o->phdr[i].p_memsz + 4096;
	uint64_t room = entry_room(&t.maps, o->start, o->end, PATCHES * ENTRY_CODE_MAX);
	uint8_t *at = mmap((void *)room, PATCHES * ENTRY_CODE_MAX, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	for (size_t i = 0; i < f.n && at == (uint8_t *)room; i++) {
		const struct function *x = &f.function[i];
		struct entry_plan *p = &plan[plans];
		if (x->object != o || !(of[plans] = row(x->name))) continue;
		if (entry_plan_target(p, t.mem, x->address, x->size, of[plans]->hook, room + plans * ENTRY_CODE_MAX, &e)) {
			printf("# %s: %s\n", x->name, e.text);
			continue;
		}
		memcpy((void *)p->trampoline, p->code, p->code_size);
		of[plans]->real = p->trampoline;
		of[plans]->origin = x->address;
		of[plans]->nature = x->nature;
		plans++;
	}
	functions_free(&f);
	loaded_free(&l);
	target_close(&t);
	return (int)plans;
}

/* ---- what is done -------------------------------------------------------------------------------------------------------------------------- */

static void *posix(size_t al, size_t n)
{
	void *p = NULL;

	return posix_memalign(&p, al, n) ? NULL : p;
}

static void *text_of(size_t n)
{
	static char bytes[4096];

	memset(bytes, 'x', n - 1);
	bytes[n - 1] = 0;
	return strdup(bytes);
}

static void *grown(size_t n)
{
	void *p = realloc(NULL, n / 2);

	KEEP(p);
	return realloc(p, n);
}

/* Each makes one block of n bytes that stays; what it takes on the way is said. */
#define TAKE(name, expression) __attribute__((noinline)) static void *name(size_t n) { void *p = expression; KEEP(p); return p; }
TAKE(take_malloc, malloc(n))
TAKE(take_calloc, calloc(n / 10, 10))
TAKE(take_realloc, realloc(NULL, n))
TAKE(take_grown, grown(n))
TAKE(take_array, reallocarray(NULL, n / 10, 10))
TAKE(take_small_alignment, aligned_alloc(16, n))
TAKE(take_large_alignment, aligned_alloc(256, n))
TAKE(take_posix, posix(8, n))
TAKE(take_posix_large, posix(128, n))
TAKE(take_page, valloc(n))
TAKE(take_text, text_of(n))
#undef TAKE

static const struct { const char *name; void *(*take)(size_t); unsigned calls; } ways[] = {
	{ "malloc", take_malloc, 1 }, { "calloc", take_calloc, 1 }, { "realloc(NULL)", take_realloc, 1 }, { "realloc", take_grown, 2 },
	{ "reallocarray", take_array, 1 }, { "aligned_alloc, small", take_small_alignment, 1 }, { "aligned_alloc", take_large_alignment, 1 },
	{ "posix_memalign, small", take_posix, 1 }, { "posix_memalign", take_posix_large, 1 }, { "valloc", take_page, 1 }, { "strdup", take_text, 1 },
};
enum { WAYS = sizeof ways / sizeof *ways, BLOCKS = 20 };

static void *block_of[WAYS][BLOCKS];

/* Every block is live, with its size, once. */
static unsigned recorded(unsigned way, size_t size)
{
	unsigned good = 0;

	for (unsigned k = 0; k < BLOCKS; k++)
		for (size_t i = 0; i < snap.nlive; i++) good += snap.live[i].addr == (uint64_t)block_of[way][k] && snap.live[i].size == size;
	return good;
}

static void *churn(void *arg)
{
	unsigned seed = (unsigned)(size_t)arg;

	for (int i = 0; i < EACH; i++) {
		void *p = ways[rand_r(&seed) % WAYS].take(10 + 10 * ((size_t)rand_r(&seed) % 200));
		free(p);
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_t t[THREADS];

	for (size_t i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, churn, (void *)i);
	for (size_t i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
}

static int child_goes_on(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		void *p = take_malloc(10000);
		free(p);
		_exit(p == NULL);
	}
	waitpid(pid, &status, 0);
	return status == 0;
}

int main(void)
{
	static uint8_t before[PATCHES][ENTRY_JUMP];
	int child;

	if (!ok(!load(), "the image")) return done();
	fill(ATTACH_SEGMENT_SIZE(0), ATTACH_PRIVATE_SIZE(0));
	int found = find();
	if (!ok(found >= 8, "%d functions of libc", found)) return done();
	for (unsigned i = 0; i < plans; i++) memcpy(before[i], (void *)plan[i].address, ENTRY_JUMP);
	mprotect((void *)text, text_end - text, PROT_READ | PROT_WRITE | PROT_EXEC);
	block->state = ATTACH_ACTIVE;
	store(0);
	for (unsigned w = 0; w < WAYS; w++)
		for (unsigned k = 0; k < BLOCKS; k++) block_of[w][k] = ways[w].take(500 + 100 * w);
	child = child_goes_on();
	store(1);
	ok(look() && block->started == 1, "it has begun");
	unsigned expected = 0;
	for (unsigned w = 0; w < WAYS; w++) {
		unsigned n = recorded(w, 500 + 100 * w);
		ok(n == BLOCKS, "%s: each block recorded once, with its size", ways[w].name);
		if (n != BLOCKS) printf("# %u of %u\n", n, BLOCKS);
		expected += ways[w].calls * BLOCKS;
	}
	ok(snap.nlive == WAYS * BLOCKS, "and nothing else is live");
	if (snap.nlive != WAYS * BLOCKS) printf("# %zu\n", snap.nlive);
	ok(calls() == expected && !snap.loss[WIRE_LOST_STALE], "each call counted once");
	if (calls() != expected) printf("# %g, not %u\n", calls(), expected);
	unsigned whole = 0;
	for (size_t i = 0; i < snap.nlive; i++) whole += !snap.site[snap.live[i].site].cut;
	ok(whole == snap.nlive, "stacks are whole");
	ok(child, "a forked child goes on");

	store(0);
	for (unsigned w = 0; w < WAYS; w++)
		for (unsigned k = 0; k < BLOCKS; k++) free(block_of[w][k]);
	run_threads();
	store(1);
	unsigned left = 0;
	look();
	for (unsigned w = 0; w < WAYS; w++) left += recorded(w, 500 + 100 * w);
	ok(!left && !snap.bad, "freed again, and by many threads at once nothing is lost");
	block->state = ATTACH_INERT;
	unsigned same = 0;
	for (unsigned i = 0; i < plans; i++) same += !memcmp(before[i], (void *)plan[i].address, ENTRY_JUMP);
	ok(same == plans, "the entries are as they were");
	run_threads();
	return done();
}
