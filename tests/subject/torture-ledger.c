/* torture-ledger: at rate 1 the agent's live set is the truth, to the object and to the byte, for every function that allocates and
 * after millions of operations with blocks that change threads. Only to be run with the agent, ALLOCTOP_RATE=1. */
/* CFLAGS: -Wno-use-after-free -Wno-alloc-size-larger-than */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "torture-ledger.h"

enum { N = 500 };

static void *p[N];

static void free_all(void)
{
	for (int i = 0; i < N; i++) free(p[i]);
}

/* Each mode of making N blocks of known sizes; twice, as the agent learns from the first calls. */
#define FORM(what, expression, size) do { \
	uint64_t bytes = 0; \
	struct ledger base = ledger_read(); \
	for (size_t i = 0; i < N; i++) { \
		p[i] = keep(expression); \
		CHECK(p[i], what); \
		bytes += (size); \
	} \
	ledger_is(base, N, bytes, N, what); \
	free_all(); \
	ledger_is(base, 0, 0, N, what ", freed"); \
} while (0)

static void *posix(size_t al, size_t n)
{
	void *out;
	return posix_memalign(&out, al, n) ? NULL : out;
}

static void forms(void)
{
	static char text[N + 1];
	memset(text, 'x', N);
	for (int round = 0; round < 2; round++) {
		FORM("malloc", malloc(i * 3), i * 3);
		FORM("calloc", calloc(i + 1, 7), (i + 1) * 7);
		FORM("realloc(NULL)", realloc(NULL, i + 1), i + 1);
		FORM("reallocarray(NULL)", reallocarray(NULL, i + 1, 5), (i + 1) * 5);
		FORM("memalign", memalign(64, i + 1), i + 1);
		FORM("aligned_alloc", aligned_alloc(32, 32 * (i + 1)), 32 * (i + 1));
		FORM("posix_memalign", posix(128, i + 1), i + 1);
		FORM("valloc", valloc(i + 1), i + 1);
		FORM("strdup", strdup(text + i), N - i + 1);
		FORM("strndup", strndup(text, i), i + 1);
		FORM("large malloc", malloc((i + 1) << 10), (i + 1) << 10);
	}
}

static void resized(void)
{
	uint64_t bytes = 0;
	for (int i = 0; i < N; i++) p[i] = keep(malloc(100));
	struct ledger base = ledger_read();
	for (size_t i = 0; i < N; i++) {
		size_t n = 1 + i * 97 % 3000;
		p[i] = keep(i & 1 ? realloc(p[i], n) : reallocarray(p[i], n, 1));
		bytes += n - 100;
	}
	ledger_is(base, 0, bytes, N, "realloc");
	for (int i = 0; i < N; i++) CHECK(!keep(realloc(p[i], (size_t)1 << 60)), "realloc of 2^60");
	CHECK(!keep(malloc((size_t)1 << 60)) && !keep(calloc((size_t)1 << 40, 1 << 20)), "2^60");
	ledger_is(base, 0, bytes, N, "realloc that failed");
	for (int i = 0; i < N; i++) {
		void *zero = keep(realloc(p[i], 0));    /* glibc frees, musl makes a block of no bytes */
		free(zero);
	}
	struct ledger now = ledger_read();
	CHECK(base.objects - now.objects == N && base.bytes - now.bytes == 100 * N, "realloc to 0");
}

/* Operations of eight threads over one table: whoever finds a block there frees it. */
enum { THREADS = 8, SLOTS = 4096 };
static void *slot[SLOTS];
static unsigned long operations;

static void *mixed(void *arg)
{
	uint64_t x = (uint64_t)(uintptr_t)arg * 0x9E3779B97F4A7C15u | 1;
	for (unsigned long i = 0; i < operations / THREADS; i += 2) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		size_t n = sizeof(size_t) + (x >> 20) % 400;
		size_t *b = x & 0x80000 ? realloc(malloc(n / 2 + sizeof(size_t)), n) : x & 0x40000 ? calloc(1, n) : malloc(n);
		if (b) *b = n;
		free(__atomic_exchange_n(&slot[x % SLOTS], b, __ATOMIC_ACQ_REL));
	}
	return NULL;
}

static void drift(void)
{
	const char *count = getenv("TORTURE_OPERATIONS");
	pthread_t t[THREADS];
	uint64_t objects = 0, bytes = 0;
	operations = count ? strtoul(count, NULL, 10) : 400000;
	/* what libc keeps for a thread is made before the count begins */
	for (long i = 0; i < THREADS; i++) CHECK(!pthread_create(&t[i], NULL, mixed, (void *)(i + 1)), "thread");
	for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
	for (int i = 0; i < SLOTS; i++) free(slot[i]), slot[i] = NULL;
	struct ledger base = ledger_read();
	for (long i = 0; i < THREADS; i++) CHECK(!pthread_create(&t[i], NULL, mixed, (void *)(i + 100)), "thread");
	for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
	for (int i = 0; i < SLOTS; i++)
		if (slot[i]) {
			objects++;
			bytes += *(size_t *)slot[i];
		}
	struct ledger now = ledger_read();
	CHECK(now.objects - base.objects == objects && now.bytes - base.bytes == bytes, "%lld objects, %lld bytes too many of %llu",
		(long long)(now.objects - base.objects - objects), (long long)(now.bytes - base.bytes - bytes), (unsigned long long)objects);
	CHECK(now.lost == base.lost, "%llu losses", (unsigned long long)now.lost);
	for (int i = 0; i < SLOTS; i++) free(slot[i]);
	now = ledger_read();
	CHECK(now.objects == base.objects && now.bytes == base.bytes, "after all was freed: %lld objects", (long long)(now.objects - base.objects));
}

/* What a child does is its own: forked, cloned past libc, or only borrowing the memory, which then counts. */
static void children(void)
{
	for (int i = 0; i < N; i++) p[i] = keep(malloc(100));
	struct ledger base = ledger_read();
	for (int round = 0; round < 10; round++) {
		int s;
		pid_t pid = round & 1 ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (!pid) {
			void *q[N];
			for (int i = 0; i < N; i++) q[i] = keep(malloc(300));
			free_all();
			for (int i = 0; i < N; i += 2) free(q[i]);
			_exit(7);
		}
		CHECK(pid > 0 && waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 7, "a child ended with %#x", s);
		ledger_is(base, 0, 0, 0, "a child was there");
	}
	void *volatile given = NULL;
	int s;
	pid_t pid = vfork();
	if (!pid) {
		given = malloc(1234);
		_exit(7);
	}
	CHECK(waitpid(pid, &s, 0) == pid && WEXITSTATUS(s) == 7, "vfork's child ended with %#x", s);
	ledger_is(base, 1, 1234, 1, "vfork");
	free(given);
	free_all();
	struct ledger now = ledger_read();
	CHECK(base.objects - now.objects == N && base.bytes - now.bytes == 100 * N, "blocks that children freed too");
}

static const struct mode modes[] = { { "forms", forms }, { "resized", resized }, { "drift", drift }, { "children", children } };
TORTURE_MAIN(modes)
