/* torture-stack-cxx: see torture-stack.h: operators of C++, which come to malloc through each other. */
/* CFLAGS: -std=c++17 -D_Static_assert=static_assert -fno-builtin -fsized-deallocation -Wl,-z,now */
#include <new>
#include "torture-stack.h"

static const auto al = std::align_val_t(64);

static const struct function functions[] = {
	{ "new", [] { keep(operator new(100)); } }, { "new[]", [] { keep(operator new[](100)); } },
	{ "new-nothrow", [] { keep(operator new(100, std::nothrow)); } }, { "new[]-nothrow", [] { keep(operator new[](100, std::nothrow)); } },
	{ "new-aligned", [] { keep(operator new(100, al)); } }, { "new[]-aligned", [] { keep(operator new[](100, al)); } },
	{ "new-aligned-nothrow", [] { keep(operator new(100, al, std::nothrow)); } },
	{ "new[]-aligned-nothrow", [] { keep(operator new[](100, al, std::nothrow)); } },
	{ "delete", [] { operator delete(block); } }, { "delete[]", [] { operator delete[](block); } },
	{ "delete-sized", [] { operator delete(block, 100); } }, { "delete[]-sized", [] { operator delete[](block, 100); } },
	{ "delete-nothrow", [] { operator delete(block, std::nothrow); } }, { "delete[]-nothrow", [] { operator delete[](block, std::nothrow); } },
	{ "delete-aligned", [] { operator delete(block, al); } }, { "delete[]-aligned", [] { operator delete[](block, al); } },
	{ "delete[]-sized-aligned", [] { operator delete[](block, 100, al); } },
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

static void all() { measure_thrice(functions, FUNCTIONS); }
static void known() { thread_known = 1, measure_thrice(functions, FUNCTIONS); }
static void child() { measure_child(functions, FUNCTIONS); }

static const struct mode modes[] = { { "all", all }, { "known", known }, { "child", child } };
TORTURE_MAIN(modes)
