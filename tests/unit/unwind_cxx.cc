/* unwind_cxx: stacks of C++ programs while exceptions fly, each compared with libunwind: in destructors that run during unwinding, in
 * catch handlers, in rethrows, under virtual and inlined calls. */
/* LINK: agent/modules.c agent/scan.c agent/ehframe.c agent/cfi.c agent/cfi_expression.c agent/cursor.c agent/unwind.c agent/unwind_x86_64.c */
/* CFLAGS: -fomit-frame-pointer */
/* LDLIBS: -lunwind */
#include "tests/unit/unwind_oracle.h"
#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define NOINLINE __attribute__((noinline))
#define KEEP __asm__ volatile("" ::: "memory")

struct guard {
	int n;
	~guard() { if (n % 3 == 0) oracle_check(); }
};

static NOINLINE void fall(int n, int a, int b)
{
	guard g = { n };
	std::string text(static_cast<size_t>(n) * 3, 'x');
	if (n == 0) throw std::runtime_error(text + "end");
	if (n % 4 == 1) {
		try {
			fall(n - 1, b, a);
		} catch (const std::logic_error &) {
			abort();
		} catch (...) {
			oracle_check();
			throw;
		}
	} else fall(n - 1, a + b, b);
	KEEP;
}

static NOINLINE void exceptions(int n)
{
	try {
		fall(n, 1, 2);
	} catch (const std::exception &e) {
		oracle_check();
		if (e.what()[0] == 0) abort();
	}
}

struct base { virtual NOINLINE int visit(int n) = 0; virtual ~base() {} };
struct left : base { int visit(int n) override; };
struct right : base { int visit(int n) override; };
static left l;
static right r;

int left::visit(int n) { if (n == 0) oracle_check(); int v = n ? static_cast<base &>(r).visit(n - 1) : 0; KEEP; return v + 1; }
int right::visit(int n) { volatile double d[5] = { 1, 2, 3, 4, 5 }; if (n == 0) oracle_check(); int v = n ? static_cast<base &>(l).visit(n - 1) : 0; KEEP; return v + static_cast<int>(d[n % 5]); }

static void library()
{
	std::vector<int> v;
	for (int i = 0; i < 200; i++) v.push_back(i * 7919 % 211);
	std::sort(v.begin(), v.end(), [](int a, int b) { if ((a ^ b) % 5 == 0) oracle_check(); return a < b; });
	std::map<std::string, int> m;
	std::function<void(int)> f = [&](int n) { m[std::to_string(n)] = n; if (n) f(n - 1); else oracle_check(); };
	for (int i = 0; i < 40; i++) f(i);
}

struct global { ~global() { oracle_begin("destructor of a global"); l.visit(5); oracle_end(1); } } at_exit;

int main()
{
	printf("1..5\n");
	modules_scan();
	oracle_begin("exceptions");
	for (int i = 0; i < 40; i++) for (int k = 0; k < 5; k++) exceptions(i);
	oracle_end(1000);
	oracle_begin("virtual calls");
	for (int i = 0; i < 60; i++) l.visit(i);
	oracle_end(60);
	oracle_begin("library callbacks");
	library();
	oracle_end(40);
	oracle_begin("exceptions in threads");
	std::vector<std::thread> t;
	for (int i = 0; i < 4; i++) t.emplace_back([] { for (int k = 0; k < 30; k++) exceptions(k); });
	for (auto &x : t) x.join();
	oracle_end(300);
	return 0;
}
