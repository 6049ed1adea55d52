/* torture-api: what the allocation functions promise, and their errors: the same with the agent and without. What differs between the
 * libcs is printed, and the test compares. */
/* CFLAGS: -Wno-use-after-free -Wno-alloc-size-larger-than */
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "torture.h"

/* Hidden from the compiler, which knows too much about sizes and alignments. */
static size_t n_of(size_t n) { return (size_t)keep((void *)n); }

static void report(const char *what, void *p)
{
	int e = errno;
	printf("%s: %s, errno %d\n", what, p ? "a block" : "null", e);
	free(p);
	errno = 0;
}

static void zero(void)
{
	errno = 0;
	report("malloc(0)", keep(malloc(n_of(0))));
	report("calloc(0, 0)", keep(calloc(n_of(0), 0)));
	report("calloc(0, 5)", keep(calloc(n_of(0), 5)));
	report("calloc(0, SIZE_MAX)", keep(calloc(n_of(0), SIZE_MAX)));
	report("realloc(NULL, 0)", keep(realloc(NULL, n_of(0))));
	report("realloc(p, 0)", keep(realloc(keep(malloc(10)), n_of(0))));
	report("reallocarray(NULL, 0, 8)", keep(reallocarray(NULL, n_of(0), 8)));
	report("aligned_alloc(64, 0)", keep(aligned_alloc(64, n_of(0))));
	report("memalign(64, 0)", keep(memalign(64, n_of(0))));
	report("strndup(x, 0)", keep(strndup(keep((void *)"x"), 0)));
	free(NULL);
	CHECK(!errno, "free(NULL)");
}

static void huge(void)
{
	static const size_t sizes[] = { (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX - 4096, (size_t)1 << 48 };
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t n = n_of(sizes[i]);
		char *old = keep(malloc(100));
		strcpy(old, "still here");
		errno = 0;
		CHECK(!keep(malloc(n)) && errno == ENOMEM, "malloc(%zu), errno %d", n, errno);
		errno = 0;
		CHECK(!keep(calloc(1, n)) && errno == ENOMEM, "calloc(1, %zu), errno %d", n, errno);
		errno = 0;
		CHECK(!keep(realloc(old, n)) && errno == ENOMEM, "realloc(%zu), errno %d", n, errno);
		errno = 0;
		CHECK(!keep(realloc(NULL, n)) && errno == ENOMEM, "realloc(NULL, %zu), errno %d", n, errno);
		errno = 0;
		CHECK(!keep(aligned_alloc(64, n)) && errno == ENOMEM, "aligned_alloc(64, %zu), errno %d", n, errno);
		errno = 0;
		CHECK(!keep(memalign(64, n)) && errno == ENOMEM, "memalign(64, %zu), errno %d", n, errno);
		errno = 0;
		CHECK(!keep(valloc(n)) && errno == ENOMEM, "valloc(%zu), errno %d", n, errno);
		void *out = &out;
		CHECK(posix_memalign(&out, 64, n) == ENOMEM && out == &out, "posix_memalign(64, %zu)", n);
		CHECK(!strcmp(old, "still here"), "a failed realloc took the block");
		CHECK((old = keep(realloc(old, 50))) && !strcmp(old, "still here"), "the block after a failed realloc");
		free(old);
	}
	errno = 0;
	CHECK(!keep(calloc(n_of((size_t)1 << 32), (size_t)1 << 32)) && errno == ENOMEM, "calloc wraps around");
	errno = 0;
	CHECK(!keep(calloc(n_of(SIZE_MAX / 2), 3)) && errno == ENOMEM, "calloc wraps around");
	char *p = keep(malloc(10));
	errno = 0;
	CHECK(!keep(reallocarray(p, n_of((size_t)1 << 62), 8)) && errno == ENOMEM, "reallocarray wraps around");
	errno = 0;
	CHECK(!keep(reallocarray(NULL, n_of(SIZE_MAX), 2)) && errno == ENOMEM, "reallocarray wraps around");
	free(p);
}

static void alignments(void)
{
	static const size_t bad[] = { 0, 3, 7, 24, 12, SIZE_MAX };
	for (size_t al = sizeof(void *); al <= 1 << 20; al *= 2)
		for (size_t n = 1; n < 10000; n = n * 3 + 1) {
			void *out = NULL, *p[4] = { keep(aligned_alloc(al, n_of((n + al - 1) & -al))), keep(memalign(al, n_of(n))), NULL, keep(valloc(n)) };
			CHECK(!posix_memalign(&out, al, n) && out, "posix_memalign(%zu, %zu)", al, n);
			p[2] = out;
			for (int i = 0; i < 4; i++) {
				size_t want = i == 3 ? 4096 : al;
				CHECK(p[i] && !((uintptr_t)p[i] % want), "form %d, alignment %zu, size %zu: %p", i, al, n, p[i]);
				memset(p[i], i, n);
				p[i] = keep(realloc(p[i], n + 100));
				CHECK(p[i] && *(char *)p[i] == i && ((char *)p[i])[n - 1] == i, "realloc of an aligned block");
				free(p[i]);
			}
		}
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		void *out = &out;
		errno = 0;
		CHECK(posix_memalign(&out, n_of(bad[i]), 100) == EINVAL && out == &out, "posix_memalign(%zu)", bad[i]);
		printf("posix_memalign(%zu): errno %d\n", bad[i], errno);
		errno = 0;
		if (bad[i] != SIZE_MAX) printf("aligned_alloc(%zu)", bad[i]), report("", keep(aligned_alloc(n_of(bad[i]), 100)));
	}
	errno = 0;
	report("memalign(SIZE_MAX)", keep(memalign(n_of(SIZE_MAX), 10)));
	report("aligned_alloc(1)", keep(aligned_alloc(n_of(1), 10)));
	report("memalign(1)", keep(memalign(n_of(1), 10)));
}

static void resize(void)
{
	for (size_t from = 1; from < 2000000; from = from * 2 + 1)
		for (size_t to = 1; to < 2000000; to = to * 2 + 3) {
			unsigned char *p = keep(malloc(from));
			size_t less = from < to ? from : to;
			CHECK(p, "malloc");
			p[0] = 1;
			p[less - 1] = (unsigned char)less;
			p = keep(realloc(p, to));
			CHECK(p && !((uintptr_t)p % 16), "realloc %zu to %zu: %p", from, to, (void *)p);
			CHECK((less == 1 || p[0] == 1) && p[less - 1] == (unsigned char)less, "realloc %zu to %zu lost something", from, to);
			free(p);
		}
	void *p = NULL;
	for (size_t n = 1; n < 300000; n += 1 + n / 7) CHECK((p = keep(reallocarray(p, n, 3))), "reallocarray");
	for (size_t n = 300000; n > 10; n -= n / 5) CHECK((p = keep(realloc(p, n))), "shrink");
	free(p);
}

static void usable(void)
{
	CHECK(malloc_usable_size(NULL) == 0, "of NULL");
	for (size_t n = 1; n < 500000; n = n * 2 + 7) {
		char *p = keep(malloc(n)), *q = keep(calloc(1, n)), *r = keep(memalign(256, n));
		size_t k = malloc_usable_size(p);
		CHECK(k >= n && malloc_usable_size(q) >= n && malloc_usable_size(r) >= n, "usable size of %zu is %zu", n, k);
		memset(p, 1, k);
		free(p);
		free(q);
		free(r);
	}
}

static void texts(void)
{
	static char text[70000];
	memset(text, 'x', sizeof text - 1);
	for (size_t n = 0; n < sizeof text; n = n * 2 + 1) {
		char *s = keep(strndup(text, n)), *t = keep(strdup(s));
		CHECK(s && t && strlen(s) == n && strlen(t) == n, "strndup, strdup of %zu", n);
		free(s);
		free(t);
	}
	char open_end[4] = { 'a', 'b', 'c', 'd' };       /* no terminator: not one byte more may be read */
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED && !mprotect(p + 4096, 4096, PROT_NONE), "mmap");
	memcpy(p + 4092, open_end, 4);
	char *s = keep(strndup(p + 4092, 4));
	CHECK(s && !strcmp(s, "abcd"), "strndup up to a page's end");
	free(s);
	CHECK(asprintf(&s, "%s-%d", "text", 7) == 6 && !strcmp(s, "text-7"), "asprintf");
	free(s);
}

/* errno after calls that succeed. */
static void keeps_errno(void)
{
	void *out;
	for (int i = 0; i < 3000; i++) {
		size_t n = 1 + (size_t)i * 7 % 5000;
		errno = 77;
		void *a = keep(malloc(n));
		CHECK(errno == 77, "malloc: errno %d", errno);
		void *b = keep(calloc(3, n));
		CHECK(errno == 77, "calloc: errno %d", errno);
		a = keep(realloc(a, n + 400));
		CHECK(errno == 77, "realloc: errno %d", errno);
		void *c = keep(memalign(32, n)), *d = keep(aligned_alloc(64, 128)), *e = keep(strdup("text"));
		CHECK(errno == 77, "memalign, aligned_alloc, strdup: errno %d", errno);
		CHECK(!posix_memalign(&out, 64, n) && errno == 77, "posix_memalign: errno %d", errno);
		free(a);
		free(b);
		free(c);
		free(d);
		free(e);
		free(out);
		free(NULL);
		CHECK(errno == 77, "free: errno %d", errno);
	}
}

/* The real allocator has no more. */
static void exhausted(void)
{
	struct rlimit r = { 400u << 20, 400u << 20 };
	void *last = NULL, *p, *out = NULL;
	size_t got = 0;
	CHECK(!setrlimit(RLIMIT_AS, &r), "setrlimit");
	for (size_t n = 8 << 20; n >= 64; n /= 2) {
		for (;; got += n) {
			errno = 0;
			if (!(p = keep(malloc(n)))) break;
			*(void **)p = last;
			last = p;
		}
		CHECK(errno == ENOMEM, "malloc(%zu): errno %d", n, errno);
	}
	errno = 0;
	CHECK(!keep(calloc(1000, 100)) && errno == ENOMEM, "calloc: errno %d", errno);
	errno = 0;
	CHECK(!keep(realloc(last, 8 << 20)) && errno == ENOMEM, "realloc: errno %d", errno);
	errno = 0;
	CHECK(!keep(memalign(4096, 1 << 20)) && errno == ENOMEM, "memalign: errno %d", errno);
	CHECK(posix_memalign(&out, 4096, 1 << 20) == ENOMEM && !out, "posix_memalign");
	for (; last; last = p) {
		p = *(void **)last;
		free(last);
	}
	churn(100);
	CHECK(got > 200u << 20, "only %zu bytes before the end", got);
}

static const struct mode modes[] = {
	{ "zero", zero }, { "huge", huge }, { "alignments", alignments }, { "resize", resize }, { "usable", usable }, { "texts", texts },
	{ "keeps-errno", keeps_errno }, { "exhausted", exhausted },
};
TORTURE_MAIN(modes)
