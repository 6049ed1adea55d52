/* torture-cxx: operator new and delete in all their forms, exceptions, bad_alloc, thread_local objects; with the agent at rate 1 the
 * live set is compared with the program's own books (when TORTURE_LEDGER is set). */
/* CFLAGS: -std=c++17 -D_Static_assert=static_assert -fno-builtin -Wno-alloc-size-larger-than -fsized-deallocation -Wno-mismatched-new-delete */
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include "torture-ledger.h"

static bool ledger_wanted;
static ledger base;

static void begin()
{
	ledger_wanted = getenv("TORTURE_LEDGER") != nullptr;
	if (ledger_wanted) base = ledger_read();
}

static void check(uint64_t objects, uint64_t bytes, uint64_t allocs, const char *what)
{
	if (ledger_wanted) ledger_is(base, objects, bytes, allocs, what);
}

/* One form: makes N blocks, checks the books, frees them, checks again. */
template <typename Make, typename Free> static void form(const char *what, Make make, Free unmake)
{
	enum { N = 200 };
	static void *p[N];
	uint64_t bytes = 0;
	begin();
	for (size_t i = 0; i < N; i++) {
		p[i] = keep(make(64 * (i + 1)));
		CHECK(p[i], "%s", what);
		bytes += 64 * (i + 1);
	}
	check(N, bytes, N, what);
	for (size_t i = 0; i < N; i++) unmake(p[i], 64 * (i + 1));
	check(0, 0, N, what);
}

static void forms()
{
	using std::nothrow;
	const auto al = std::align_val_t(64);
	for (int round = 0; round < 2; round++) {
		form("new", [](size_t n) { return operator new(n); }, [](void *p, size_t) { operator delete(p); });
		form("new[]", [](size_t n) { return operator new[](n); }, [](void *p, size_t) { operator delete[](p); });
		form("new, sized delete", [](size_t n) { return operator new(n); }, [](void *p, size_t n) { operator delete(p, n); });
		form("new[], sized delete", [](size_t n) { return operator new[](n); }, [](void *p, size_t n) { operator delete[](p, n); });
		form("new nothrow", [](size_t n) { return operator new(n, nothrow); }, [](void *p, size_t) { operator delete(p, nothrow); });
		form("new[] nothrow", [](size_t n) { return operator new[](n, nothrow); }, [](void *p, size_t) { operator delete[](p, nothrow); });
		form("new aligned", [=](size_t n) { return operator new(n, al); }, [=](void *p, size_t) { operator delete(p, al); });
		form("new[] aligned", [=](size_t n) { return operator new[](n, al); }, [=](void *p, size_t) { operator delete[](p, al); });
		form("new aligned, sized", [=](size_t n) { return operator new(n, al); }, [=](void *p, size_t n) { operator delete(p, n, al); });
		form("new[] aligned, sized", [=](size_t n) { return operator new[](n, al); }, [=](void *p, size_t n) { operator delete[](p, n, al); });
		form("new aligned nothrow", [=](size_t n) { return operator new(n, al, nothrow); }, [=](void *p, size_t) { operator delete(p, al, nothrow); });
		form("new[] aligned nothrow", [=](size_t n) { return operator new[](n, al, nothrow); }, [=](void *p, size_t) { operator delete[](p, al, nothrow); });
		form("malloc", [](size_t n) { return malloc(n); }, [](void *p, size_t) { free(p); });
		form("calloc", [](size_t n) { return calloc(n / 64, 64); }, [](void *p, size_t) { free(p); });
		form("realloc", [](size_t n) { return realloc(nullptr, n); }, [](void *p, size_t) { free(p); });
		form("aligned_alloc", [](size_t n) { return aligned_alloc(64, n); }, [](void *p, size_t) { free(p); });
	}
}

static void bad_alloc()
{
	static const size_t sizes[] = { PTRDIFF_MAX, PTRDIFF_MAX - 4096, size_t(1) << 60 };   /* beyond, libstdc++ itself wraps around */
	for (size_t size : sizes)
		for (int i = 0; i < 50; i++) {
			size_t n = size_t(keep(reinterpret_cast<void *>(size)));
			int thrown = 0;
			try { keep(operator new(n)); } catch (const std::bad_alloc &) { thrown++; }
			try { keep(operator new[](n)); } catch (const std::bad_alloc &) { thrown++; }
			try { keep(operator new(n, std::align_val_t(64))); } catch (const std::bad_alloc &) { thrown++; }
			CHECK(thrown == 3, "%d of 3 thrown for %zu", thrown, n);
			CHECK(!keep(operator new(n, std::nothrow)), "new nothrow of %zu", n);
			std::unique_ptr<int> p(new int(i));
			CHECK(*p == i, "new after bad_alloc");
		}
}

/* Thrown through frames that own memory, while other threads do the same. */
struct owner {
	std::vector<std::string> texts;
	owner() : texts(20, std::string(100, 'x')) { }
	~owner() { keep(texts.data()); }
};

static int __attribute__((noinline)) fall(int depth)
{
	owner o;
	if (!depth) throw std::runtime_error(std::string(300, 'e'));
	return fall(depth - 1) + int(o.texts.size());
}

static void throw_often()
{
	for (int i = 0; i < 300; i++) {
		bool caught = false;
		try { fall(i % 20); } catch (const std::runtime_error &e) { caught = std::string(e.what()).size() == 300; }
		CHECK(caught, "not caught");
	}
}

static void exceptions()
{
	std::vector<std::thread> t;
	for (int i = 0; i < 4; i++) t.emplace_back(throw_often);
	throw_often();
	for (auto &x : t) x.join();
}

/* Destroyed after the thread's function has ended, before or after the agent's own end of it. */
struct local {
	std::map<int, std::string> m;
	~local()
	{
		for (int i = 0; i < 50; i++) m[i + 1000] = std::string(100 + size_t(i), 'y');
		m.clear();
		delete[] new char[5000];
	}
};
static thread_local local one;

static void thread_locals()
{
	for (int round = 0; round < 100; round++) {
		std::vector<std::thread> t;
		for (int i = 0; i < 6; i++)
			t.emplace_back([] {
				for (int k = 0; k < 20; k++) one.m[k] = std::string(200, 'z');
			});
		for (auto &x : t) x.join();
	}
	one.m[1] = "of the main thread";
}

/* Static objects, before main and after it. */
static std::vector<std::string> before_main(100, std::string(1000, 'a'));

static void statics()
{
	CHECK(before_main.size() == 100 && before_main[99].size() == 1000, "static object");
	static owner at_exit;
	keep(&at_exit);
}

static const mode modes[] = {
	{ "forms", forms }, { "bad-alloc", bad_alloc }, { "exceptions", exceptions }, { "thread-locals", thread_locals }, { "statics", statics },
};
TORTURE_MAIN(modes)
