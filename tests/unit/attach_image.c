/* attach_image.c: the attachable image, loaded into this process in the way that alloctop does it to another: the block is filled in, and the hooks
 * are called, from many threads, in a forked child, under a seccomp filter; what they record is read back by the one decoder. */
#include <errno.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attach.h"
#include "tests/tap.h"

static void *(*hook_malloc)(size_t), *(*hook_calloc)(size_t, size_t), *(*hook_realloc)(void *, size_t), *(*hook_new)(size_t);
static void (*hook_free)(void *);

/* ---- known heaps --------------------------------------------------------------------------------------------------------------------- */

#define TAKE(name, expression) __attribute__((noinline)) static void *name(size_t n) { void *p = expression; KEEP(p); return p; }
TAKE(take_plain, hook_malloc(n))
TAKE(take_zeroed, hook_calloc(1, n))
TAKE(take_larger, hook_realloc(hook_malloc(n / 2), n))
TAKE(take_new, hook_new(n))

/* The functions stand side by side, in any order. */
static int returns_to(void *(*function)(size_t), uint64_t pc)
{
	static void *(*const all[])(size_t) = { take_plain, take_zeroed, take_larger, take_new };
	uint64_t nearest = 0;

	for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
		if ((uint64_t)all[i] < pc && (uint64_t)all[i] > nearest) nearest = (uint64_t)all[i];
	return nearest == (uint64_t)function && pc - nearest < 96;
}

/* The live bytes whose stack begins in a function of ours. */
static double live_of(void *(*function)(size_t), double *objects)
{
	double bytes = 0;

	*objects = 0;
	for (size_t i = 0; i < snap.nlive; i++) {
		const struct snap_site *s = &snap.site[snap.live[i].site];
		if (!s->depth || !returns_to(function, s->pc[0])) continue;
		bytes += snap.live[i].weight;
		++*objects;
	}
	return bytes;
}

static int holds(void *(*function)(size_t), double bytes, double objects)
{
	double n, b = live_of(function, &n);

	if (b != bytes || n != objects) printf("# %g bytes in %g, not %g in %g\n", b, n, bytes, objects);
	return b == bytes && n == objects;
}

static void inert(void)
{
	void *p = hook_malloc(100), *q = hook_calloc(10, 10);

	ok(p && q && p != q && !block->started, "inert hooks pass on, and begin nothing");
	hook_free(p);
	hook_free(q);
}

static void active(void)
{
	void *p[10];

	block->state = ATTACH_ACTIVE;
	for (int i = 0; i < 10; i++) p[i] = i < 4 ? take_plain(1000) : i < 7 ? take_zeroed(300) : take_larger(5000);
	if (!ok(block->started == 1 && look(), "it begins with the first call, in the memory it was given")) return;
	ok(snap.flags == (WIRE_PRIVATE | WIRE_ATTACHED) && snap.inner_pid == getpid() && snap.rate == 1 && snap.running, "it says that it was attached");
	ok(snap.nmodules == block->modules_count[block->modules_turn & 1] && knows("/proc/self/exe"), "modules as they were written");
	ok(holds(take_plain, 4000, 4) && holds(take_zeroed, 900, 3) && holds(take_larger, 15000, 3), "live bytes by function");
	unsigned whole = 0;
	for (size_t i = 0; i < snap.nlive; i++) whole += !snap.site[snap.live[i].site].cut;
	ok(whole == snap.nlive && whole == 10, "their stacks are whole");
	ok(calls() == 10 + 3 && !snap.bad, "calls, the first among them");
	for (int i = 0; i < 10; i++) hook_free(p[i]);
	ok(look() && snap.nlive == 0 && snap.alloc_bytes == 4000 + 900 + 15000 + 7500, "freed again");
}

/* ---- throwing entries --------------------------------------------------------------------------------------------------------------------- */

static uint64_t thrown_from;

__attribute__((noinline)) static void *throwing(size_t n)
{
	thrown_from = (uint64_t)__builtin_return_address(0);
	return n > 1 << 20 ? NULL : malloc(n);
}

static void throws(void)
{
	struct attach_entry *e = row("_Znwm"), *other = row("_Znam");
	void *(*hook_array)(size_t) = (void *(*)(size_t))other->hook;

	ok(e->throws && other->throws && !row("malloc")->throws && !row("mi_free")->throws && row("mi_new")->throws, "what throws says so");
	e->real = e->origin = other->real = other->origin = (uint64_t)throwing;
	e->nature = ATTACH_LEAF;
	void *p = take_new(700);
	ok(p && !thrown_from && look() && holds(take_new, 700, 1), "operator new: made and recorded by the plain function");
	void *q = take_new(SIZE_MAX / 4);
	ok(!q && returns_to(take_new, thrown_from), "where there is no memory, what throws is jumped to: no frame between it and the caller");
	thrown_from = 0;
	q = hook_array(50);
	ok(q && thrown_from && look() && snap.nlive == 1, "one of which nothing is known is left alone");
	free(q);
	hook_free(p);
}

/* ---- threads ------------------------------------------------------------------------------------------------------------------------------------ */

static void *churn(void *arg)
{
	for (int i = 0; i < 100; i++) hook_free(take_plain(64 + (size_t)i));
	return arg;
}

static void threads(void)
{
	enum { ROUNDS = 60, AT_ONCE = 8 };
	pthread_t t[AT_ONCE];

	look();
	double before = calls();
	for (int r = 0; r < ROUNDS; r++) {
		for (int i = 0; i < AT_ONCE; i++) pthread_create(&t[i], NULL, churn, NULL);
		for (int i = 0; i < AT_ONCE; i++) pthread_join(t[i], NULL);
	}
	ok(look() && calls() - before == ROUNDS * AT_ONCE * 100, "each call of each of 480 threads is counted");
	if (calls() - before != ROUNDS * AT_ONCE * 100) printf("# %g\n", calls() - before);
	unsigned present = 0;
	for (size_t i = 0; i < snap.nthreads; i++) present += snap.thread[i].tid != 0;
	ok(present <= 2 * AT_ONCE + 1 && !snap.loss[WIRE_LOST_SLOT], "those that ended gave up their slots to others: %u are left", present);
	ok(snap.nlive == 0 && !snap.loss[WIRE_LOST_STALE], "none of their blocks is left");
}

static void *one(void *arg)
{
	hook_free(take_plain(64));
	return arg;
}

/* Threads at as many places in memory: none gives its slot to another. */
static void crowd(void)
{
	enum { THREADS = 4400, STACK = 32 << 10 };
	char *stacks = mmap(NULL, (size_t)THREADS * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_attr_t attr;
	pthread_t t;
	unsigned made = 0;

	look();
	double before = calls(), seen;
	pthread_attr_init(&attr);
	for (unsigned i = 0; i < THREADS && stacks != MAP_FAILED; i++) {
		pthread_attr_setstack(&attr, stacks + (size_t)i * STACK, STACK);
		if (!pthread_create(&t, &attr, one, NULL)) made++, pthread_join(t, NULL);
	}
	pthread_attr_destroy(&attr);
	look();
	seen = calls() - before;
	ok(made == THREADS && seen < made && (double)snap.loss[WIRE_LOST_SLOT] == 2 * (made - seen), "more threads than there is room for: what is not seen is counted");
	printf("# %u threads, %g seen, %" PRIu64 " calls lost\n", made, seen, snap.loss[WIRE_LOST_SLOT]);
	if (stacks != MAP_FAILED) munmap(stacks, (size_t)THREADS * STACK);
}

static void objects(void)
{
	uint32_t n = block->modules_count[block->modules_turn & 1];

	modules();
	struct attach_module *table = (struct attach_module *)block->modules[(block->modules_turn + 1) & 1];
	memcpy(table, (void *)block->modules[block->modules_turn & 1], n * sizeof *table);
	table[n] = (struct attach_module){ .start = 0x10000, .end = 0x20000, .text = 0x10000, .text_end = 0x20000, .path = "/lib/late.so" };
	block->modules_count[(block->modules_turn + 1) & 1] = n + 1;
	__atomic_store_n(&block->modules_turn, block->modules_turn + 1, __ATOMIC_RELEASE);
	hook_free(take_plain(10));
	ok(look() && snap.nmodules == n + 1 && knows("/lib/late.so"), "an object that came later");
}

/* ---- a forked child, and a sandbox ---------------------------------------------------------------------------------------------------------- */

static int child(int (*work)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) _exit(work());
	waitpid(pid, &status, 0);
	if (status) printf("# status %#x\n", status);
	return status;
}

static int forked(void)
{
	void *p = take_plain(4321);

	if (!look() || snap.flags != (WIRE_FORKED | WIRE_PRIVATE | WIRE_ATTACHED)) return 1;
	if (snap.inner_pid != getpid() || snap.forked_from != getppid()) return 2;
	if (!holds(take_plain, 4321, 1) || calls() != 1) return 3;
	hook_free(p);
	return look() && !snap.nlive ? 0 : 4;
}

/* Anything that the contract does not name ends the child. */
static int sandbox(void)
{
	static const long allowed[] = { __NR_rt_sigprocmask, __NR_exit_group, __NR_brk, __NR_mmap, __NR_munmap, __NR_mprotect, __NR_madvise, __NR_futex };
	struct sock_filter code[2 * sizeof allowed / sizeof *allowed + 2];
	unsigned n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < sizeof allowed / sizeof *allowed; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	struct sock_fprog program = { (unsigned short)n, code };
	*(uint32_t *)block->mark = 1;
	block->flags = ATTACH_SANDBOXED;
	block->pid = (uint32_t)getpid();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) return 9;
	block->state = ATTACH_ACTIVE;
	void *p = take_plain(800), *q = take_zeroed(90);
	uint64_t timing = block->segment + offsetof(struct wire_header, control) + offsetof(struct wire_control, timing);
	*(uint32_t *)timing = 0;
	hook_free(p);
	hook_free(q);
	return block->started == 1 ? 0 : 1;
}

static unsigned scale;
static int smaller(void)
{
	*(uint32_t *)block->mark = 1;
	block->segment_size = ATTACH_SEGMENT_SIZE(scale);
	block->private_size = ATTACH_PRIVATE_SIZE(scale);
	block->pid = (uint32_t)getpid();
	block->state = ATTACH_ACTIVE;
	take_plain(100);
	return block->started == 1 && look() && holds(take_plain, 100, 1) ? 0 : 1;
}

static int too_small(void)
{
	*(uint32_t *)block->mark = 1;
	block->segment_size = 4096;
	block->state = ATTACH_ACTIVE;
	void *p = take_plain(100);
	hook_free(p);
	return p && block->started == 2 ? 0 : 1;
}

static void ended(void)
{
	void *before = take_plain(10);

	block->state = ATTACH_INERT;
	void *after = take_plain(20), *more = hook_realloc(before, 3000);
	ok(after && more && look() && snap.alloc_bytes > 0 && snap.nlive == 1, "after detaching, hooks still pass on, and record nothing new");
	hook_free(after);
	hook_free(more);
}

int main(void)
{
	if (!ok(!load() && !memcmp(block->magic, ATTACH_MAGIC, sizeof block->magic) && block->version == ATTACH_VERSION && block->size == sizeof *block, "the block"))
		return printf("# %s\n", dlerror()), done();
	unsigned named = 0, rows = 0;
	for (struct attach_entry *e = block->entry; e->name[0]; e++, rows++)
		named += !e->hook ? !strcmp(e->name, "malloc_usable_size") || !strcmp(e->name, "mi_new_realloc") : e->hook == (uint64_t)dlsym(image, e->name);
	ok(rows > 100 && rows < ATTACH_ENTRIES_MAX && named == rows, "%u hooks, exported under their entries' names", rows);
	hook_malloc = (void *(*)(size_t))row("malloc")->hook;
	hook_calloc = (void *(*)(size_t, size_t))row("calloc")->hook;
	hook_realloc = (void *(*)(void *, size_t))row("realloc")->hook;
	hook_free = (void (*)(void *))row("free")->hook;
	hook_new = (void *(*)(size_t))row("_Znwm")->hook;
	fill(ATTACH_SEGMENT_SIZE(0), ATTACH_PRIVATE_SIZE(0));
	for (struct attach_entry *e = block->entry; e->name[0]; e++)
		if (e->name[0] != '_') e->real = e->origin = (uint64_t)dlsym(RTLD_DEFAULT, e->name);
	ok(block->tid_offset && block->image, "filled in");
	inert();
	ok(!child(sandbox), "under a filter that allows nothing but what the contract names");
	for (scale = 1; scale < ATTACH_SCALES; scale++) ok(!child(smaller), "in less memory, scale %u", scale);
	ok(!child(too_small), "memory that does not do: passes on");
	active();
	throws();
	threads();
	objects();
	ok(!child(forked), "a forked child has a segment of its own, at the same place");
	crowd();
	ended();
	return done();
}
