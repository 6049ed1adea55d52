/* musl: mallocng's reader against heaps whose truth is known: one made of bytes, damaged in many ways; and a subject's, on a dynamic, a
 * static and a stripped libc, at rest and while eight threads allocate. */
#include "inspect/allocator/musl.h"

#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/mallocng.h"
#include "tests/tap.h"

/* What the sink hears: sums, and whether a byte was told twice. */
struct tally { struct allocator_sink sink; uint64_t sum[ALLOCATOR_MANAGED + 1], total; size_t n; struct { uint64_t start, bytes; } *range; };

static void hear(struct allocator_sink *s, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	struct tally *t = (struct tally *)s;

	t->sum[what] += bytes;
	t->total += bytes;
	if (!(t->n & (t->n - 1))) t->range = realloc(t->range, (t->n ? 2 * t->n : 1) * sizeof *t->range);
	t->range[t->n].start = start;
	t->range[t->n++].bytes = bytes;
}

static int by_start(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int apart(struct tally *t)
{
	qsort(t->range, t->n, sizeof *t->range, by_start);
	for (size_t i = 1; i < t->n; i++)
		if (t->range[i - 1].start + t->range[i - 1].bytes > t->range[i].start) return 0;
	return 1;
}

static int look(const struct target *t, unsigned flags, struct heap_allocator *a, struct tally *y)
{
	struct allocator_found f;
	struct err e;

	*a = (struct heap_allocator){ 0 };
	if (y) *y = (struct tally){ .sink = { hear } };
	if (allocator_musl.probe(t, &f, 1) != 1) return -1;
	if (allocator_musl.read(t, &f, flags, a, y ? &y->sink : NULL, &e)) {
		printf("# %s\n", e.text);
		return -1;
	}
	return 0;
}

static double fact(const struct heap_allocator *a, const char *name)
{
	for (size_t i = 0; i < a->nfacts; i++)
		if (!strcmp(a->fact[i].name, name)) return a->fact[i].value;
	return -1;
}

static void made_of_bytes(void)
{
	static struct ng n;
	struct heap_allocator a;
	struct tally y;
	uint64_t pinned = 0;

	ng_build(&n);
	ng_open(&n);
	ok(!look(&n.t, ALLOCATOR_REQUESTED, &a, &y), "bytes: found");
	ok(a.state == NG_CONTEXT && a.status == HEAP_COMPLETE && !a.bad, "bytes: the context, complete");
	ok(a.live_objects == n.live && a.requested_bytes == n.requested && a.free_objects == n.free, "bytes: %d live of %d bytes, %d free",
	   (int)n.live, (int)n.requested, (int)n.free);
	ok(a.mapped == n.mapped && a.mapped == a.live_bytes + a.free_bytes + a.metadata_bytes, "bytes: all that is mapped is live, free or metadata");
	ok(y.total == n.mapped && apart(&y), "bytes: the sink hears of each byte, once");
	ok(y.sum[ALLOCATOR_LIVE] == a.live_bytes + 4 * a.live_objects && y.sum[ALLOCATOR_FREE] == a.free_bytes + 4 * a.free_objects,
	   "bytes: live and free as the sink hears it are slots");
	ok(a.large_objects == 2 && a.large_bytes == 45 * 4096 - 2 * 20, "bytes: blocks with mappings of their own");
	ok(fact(&a, "groups_nested") == n.nested && fact(&a, "groups_donated") == 2 && fact(&a, "mmap_counter") == 42 && fact(&a, "bouncing_classes") == 1,
	   "bytes: nested, donated, mappings made, bouncing");
	for (size_t i = 0; i < a.nclasses; i++) pinned += a.class[i].pinned;
	ok(pinned == 1 && fact(&a, "groups_pinned") == 1, "bytes: the group with one of seven used is pinned");
	ok(a.nclasses == 8 && a.class[3].size == 492 && a.class[3].live == 1 && a.class[3].requested == 480 && a.class[3].slabs == 2 && a.class[3].free == 3,
	   "bytes: a class: the slot with a group in it is not a block");
	heap_allocator_free(&a);
	free(y.range);

	n.t.at_random = 0;
	ok(!look(&n.t, 0, &a, NULL) && a.state == NG_CONTEXT && a.live_objects == n.live && a.requested_bytes == HEAP_UNKNOWN,
	   "bytes: found by its shape where the random bytes are unknown; quick");
	heap_allocator_free(&a);
	ng_close(&n);
}

enum { BREAKS = 15 };

/* One invariant less. What each does is in its name. */
static const char *damage(struct ng *n, unsigned i)
{
	struct musl_area *first = ng_at(n, NG_AREAS), *second = ng_at(n, NG_AREAS + MUSL_PAGE);
	struct musl_meta *m = ng_meta(n, 95);

	switch (i) {
	case 0: second->next = NG_AREAS; return "a chain of areas that comes back";
	case 1: first->next = NG_AREAS; return "an area that follows itself";
	case 2: second->check ^= 1; return "an area without the secret";
	case 3: second->nslots = 100; return "an area of another size";
	case 4: second->next = 0x7f0000000000; return "an area where nothing is";
	case 5: second->next = NG_ANON + 8; return "an area that is not a page";
	case 6: m->avail = m->freed | 1; m->freed |= 1; return "a slot both available and freed";
	case 7: m->freed |= 1u << 31; return "a free slot beyond the last";
	case 8: m->mem = 0x7f0000000000; return "a group where nothing is";
	case 9: m->mem += 8; return "a group that is not aligned";
	case 10: m->bits = (m->bits & 4095) | (uint64_t)1 << 60; return "a group of 2^60 pages";
	case 11: m->bits |= (uint64_t)63 << 6; return "sixteen slots of the class of single blocks";
	case 12: m->bits = (m->bits & ~(uint64_t)(63 << 6)) | 50 << 6; return "a class that does not exist";
	case 13: ng_context(n)->usage[4]++; return "a class with other totals than the allocator's";
	case 14: m->bits = (m->bits & 4095) | (uint64_t)80 << 12; return "a group much shorter than its mapping";
	}
	return NULL;
}

static void damaged(void)
{
	static struct ng n;
	struct heap_allocator a;
	struct tally y;

	for (unsigned i = 0; i < BREAKS; i++) {
		ng_build(&n);
		const char *what = damage(&n, i);
		ng_open(&n);
		int r = look(&n.t, ALLOCATOR_REQUESTED, &a, &y);
		ok(!r && a.status == HEAP_TORN && a.bad && *a.status_text && y.total <= 2 * n.mapped, "damaged: %s", what);
		heap_allocator_free(&a);
		free(y.range);
		ng_close(&n);
	}
	/* what only the heap itself shows */
	ng_build(&n);
	uint64_t mem = ng_meta(&n, 95)->mem;
	((uint8_t *)ng_at(&n, mem + 16 + 2032))[-3] = 7;
	ng_open(&n);
	ok(!look(&n.t, 0, &a, NULL) && a.status == HEAP_COMPLETE, "damaged: a slot's header, which a quick look does not see");
	heap_allocator_free(&a);
	ok(!look(&n.t, ALLOCATOR_REQUESTED, &a, NULL) && a.status == HEAP_TORN && a.bad == 2, "damaged: a slot's header: one block less, and the sums differ");
	heap_allocator_free(&a);
	memset(ng_at(&n, mem), 0, 8);
	ok(!look(&n.t, ALLOCATOR_REQUESTED, &a, NULL) && a.status == HEAP_TORN, "damaged: a group that does not point back");
	heap_allocator_free(&a);
	ng_close(&n);
}

static void values(void)
{
	ok(musl_lock_plausible(0, 1) && musl_lock_plausible(INT_MIN + 1, 1) && musl_lock_plausible(5, 8) && musl_lock_plausible(INT_MIN + 8, 8),
	   "lock: free, held, waited for");
	ok(!musl_lock_plausible(INT_MIN, 8) && !musl_lock_plausible(-1, 8) && !musl_lock_plausible(100000, 8) && !musl_lock_plausible(0x40000000, 8),
	   "lock: what no lock ever is");
}

/* --- the subject */

struct subject { pid_t pid; int in; FILE *out; uint64_t objects, bytes; };
static const size_t limits[] = { 1, 30, 50, 80, 125, 250, 625, 1250, 3750, 12500, 75000, 250000 };
enum { LIMITS = sizeof limits / sizeof *limits };
static uint64_t want_live[LIMITS], want_bytes[LIMITS];

static int start(struct subject *s, const char *path, const char *count, const char *threads, const char *churn)
{
	int in[2], out[2];
	char line[128];
	size_t kind = 0;
	long size;
	unsigned long n, b;

	if (pipe(in) || pipe(out)) return -1;
	if (!(s->pid = fork())) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execl(path, path, count, threads, churn, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	s->in = in[1];
	s->out = fdopen(out[0], "r");
	while (fgets(line, sizeof line, s->out) && strcmp(line, "ready\n")) {
		if (sscanf(line, "%ld live %lu %lu", &size, &n, &b) == 3 && kind < LIMITS) want_live[kind] = n, want_bytes[kind++] = b;
		if (sscanf(line, "total %lu %lu", &n, &b) == 2) s->objects = n, s->bytes = b;
	}
	return kind == LIMITS && s->objects ? 0 : -1;
}

static void stop(struct subject *s)
{
	close(s->in);
	fclose(s->out);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

/* Each kind of request against the classes it may be in: its own, or a coarser one; never a smaller one, nor that of twice its size. Small classes hold
   requests of several kinds, so it is bytes up to a size that are compared: of blocks up to N bytes none is in a class below its size. */
static int kinds_fit(const struct heap_allocator *a)
{
	uint64_t requested = 0, live = 0;
	size_t c = 0;

	for (size_t k = 0; k < LIMITS; k++) {
		uint64_t least_live = 0, least = 0;
		for (size_t j = 0; j <= k; j++) least_live += want_live[j], least += want_bytes[j];
		while (c < a->nclasses && a->class[c].size <= limits[k] + 3) {
			live += a->class[c].live;
			requested += a->class[c++].requested;
		}
		if (live > least_live || requested > least) return 0;
	}
	for (; c < a->nclasses; c++) requested += a->class[c].requested, live += a->class[c].live;
	return live == a->live_objects - a->large_objects && requested <= a->requested_bytes;
}

static void at_rest(const char *name, const char *path, const char *count)
{
	struct subject s = { 0 };
	struct target t;
	struct heap_allocator a;
	struct tally y;
	struct err e;

	if (!ok(!start(&s, path, count, NULL, NULL) && !target_open_pid(&t, s.pid, &e), "%s: runs", name)) return;
	ok(!look(&t, ALLOCATOR_REQUESTED, &a, &y) && a.status == HEAP_COMPLETE && !a.bad, "%s: found, complete", name);
	ok(a.live_objects == s.objects && a.requested_bytes == s.bytes, "%s: %lu objects of %lu bytes, exactly", name, (unsigned long)s.objects, (unsigned long)s.bytes);
	if (a.live_objects != s.objects || a.requested_bytes != s.bytes)
		printf("# got %lu of %lu\n", (unsigned long)a.live_objects, (unsigned long)a.requested_bytes);
	ok(kinds_fit(&a), "%s: by size class", name);
	ok(a.mapped == a.live_bytes + a.free_bytes + a.metadata_bytes && y.total == a.mapped && apart(&y), "%s: every byte told once", name);
	uint64_t state = a.state, live = a.live_objects, bytes = a.live_bytes;
	heap_allocator_free(&a);
	free(y.range);
	t.at_random = 0;
	ok(!look(&t, 0, &a, NULL) && a.state == state && a.live_objects == live && a.live_bytes == bytes, "%s: the same without its random bytes", name);
	heap_allocator_free(&a);
	target_close(&t);
	stop(&s);
}

static int within(uint64_t got, uint64_t want) { return got >= want - want * 3 / 100 && got <= want + want * 3 / 100; }

static void busy(const char *name, const char *path)
{
	struct subject s = { 0 };
	struct target t;
	struct heap_allocator a;
	struct err e;
	unsigned good = 0, requested = 0, rounds = 20;
	unsigned long seen = 0, odd = 0;
	int32_t word;

	if (!ok(!start(&s, path, "100000", "8", "churn") && !target_open_pid(&t, s.pid, &e), "%s, busy: runs", name)) return;
	for (unsigned i = 0; i < rounds; i++) {
		if (target_refresh(&t, &e) || look(&t, i % 2 ? ALLOCATOR_REQUESTED : 0, &a, NULL)) break;
		good += within(a.live_objects, s.objects);
		requested += i % 2 && within(a.requested_bytes, s.bytes);
		if (!within(a.live_objects, s.objects) || (i % 2 && !within(a.requested_bytes, s.bytes)))
			printf("# %lu objects of %lu bytes, not %lu of %lu\n", (unsigned long)a.live_objects, (unsigned long)a.requested_bytes, (unsigned long)s.objects, (unsigned long)s.bytes);
		if (i + 1 < rounds) heap_allocator_free(&a);
	}
	/* a reading in whose middle the processor was taken from us is of two moments, between which a few large blocks make several percent */
	ok(good == rounds && requested + 1 >= rounds / 2, "%s, busy: objects and bytes within 3 %% while eight threads allocate (%u of %u, %u of %u)", name, good,
	   rounds, requested, rounds / 2);
	ok(a.nlocks == 1 && a.lock[0].kind == HEAP_LOCK_MUSL, "%s, busy: a lock", name);
	for (long i = 0; a.nlocks && i < 20000000 && seen < 3; i++) {
		if (mem_read(t.mem, a.lock[0].addr, &word, sizeof word, &e)) break;
		seen += word != 0;
		odd += !musl_lock_plausible(word, t.nthreads);
	}
	ok(seen == 3 && !odd, "%s, busy: the lock is seen held, and never anything else than a lock", name);
	heap_allocator_free(&a);
	target_close(&t);
	stop(&s);
}

static uint64_t symbol(const char *path, const char *name)
{
	char command[PATH_MAX + 64];
	unsigned long addr = 0;

	snprintf(command, sizeof command, "nm '%s' | sed -n 's/ [bB] %s$//p'", path, name);
	FILE *f = popen(command, "r");
	if (f && fscanf(f, "%lx", &addr) != 1) addr = 0;
	if (f) pclose(f);
	return addr;
}

static void places(const char *unstripped, const char *stripped)
{
	struct subject s = { 0 };
	struct target t;
	struct allocator_found f;
	struct heap_allocator a = { 0 };
	struct err e;

	if (start(&s, stripped, "1000", NULL, NULL) || target_open_pid(&t, s.pid, &e)) return;
	ok(allocator_musl.probe(&t, &f, 1) == 1 && f.state == symbol(unstripped, "__malloc_context"), "stripped: the context is where the symbol was");
	allocator_musl.locks(&t, &f, &a);
	ok(a.nlocks == 1 && a.lock[0].addr == symbol(unstripped, "__malloc_lock"), "stripped: the lock is where the symbol was");
	heap_allocator_free(&a);
	target_close(&t);
	stop(&s);
}

static void bump(const char *path)
{
	struct subject s = { 0 };
	struct target t;
	struct allocator_found f;
	struct heap_allocator a = { 0 };
	struct err e;
	unsigned long bytes = 0;
	char line[64];
	int in[2], out[2];

	if (pipe(in) || pipe(out)) return;
	if (!(s.pid = fork())) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(path, path, "1000", (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	s.in = in[1];
	s.out = fdopen(out[0], "r");
	while (fgets(line, sizeof line, s.out) && strcmp(line, "ready\n")) sscanf(line, "total %lu", &bytes);
	close(in[0]);
	if (!ok(bytes && !target_open_pid(&t, s.pid, &e), "bump: runs")) return;
	ok(!allocator_musl.probe(&t, &f, 1), "bump: no mallocng");
	ok(allocator_musl_bump.probe(&t, &f, 1) == 1 && !allocator_musl_bump.read(&t, &f, 0, &a, NULL, &e), "bump: recognised");
	ok(a.live_bytes == bytes && a.live_objects == HEAP_UNKNOWN && a.mapped == a.live_bytes + a.free_bytes, "bump: %lu bytes handed out, in nobody knows how many pieces", bytes);
	heap_allocator_free(&a);
	target_close(&t);
	stop(&s);
}

int main(void)
{
	char dir[] = "/tmp/alloctop-test-XXXXXX", command[1024], plain[64], stripped[64], lite[64];

	if (!mkdtemp(dir)) return 1;
	snprintf(plain, sizeof plain, "%s/static", dir);
	snprintf(stripped, sizeof stripped, "%s/stripped", dir);
	snprintf(lite, sizeof lite, "%s/bump", dir);
	snprintf(command, sizeof command, "musl-gcc -O2 -static -o %s tests/subject/musl-heap.c -lpthread && strip -o %s %s && "
	         "musl-gcc -O2 -static -s -o %s tests/subject/musl-heap-bump.c", plain, stripped, plain, lite);
	made_of_bytes();
	damaged();
	values();
	ok(!system(command), "static subjects are built");
	at_rest("dynamic, 10 k", "build/tests/subject/musl-heap.musl", "10000");
	at_rest("dynamic, 1 M", "build/tests/subject/musl-heap.musl", "1000000");
	at_rest("static, 10 k", plain, "10000");
	at_rest("stripped, 10 k", stripped, "10000");
	at_rest("stripped, 1 M", stripped, "1000000");
	busy("dynamic", "build/tests/subject/musl-heap.musl");
	busy("stripped", stripped);
	places(plain, stripped);
	bump(lite);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	if (system(command)) return 1;
	return done();
}
