/* sym-cc.cc: C++ whose inlining goes deep: templates, lambdas, local classes, standard containers. For tests/cli/symbols. */
#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace deep {

template <class T> struct box {
	T value;
	explicit box(T v) : value(v) {}
	T twice() const { return value + value; }
};

__attribute__((noinline)) int sum(const std::vector<int> &v)
{
	int total = 0;
	std::for_each(v.begin(), v.end(), [&](int x) { total += box<int>(x).twice(); });
	return total;
}

__attribute__((noinline)) size_t words(int n)
{
	struct counter {
		std::map<std::string, int> seen;
		__attribute__((noinline)) void note(const std::string &s) { seen[s]++; }
	} c;
	for (int i = 0; i < n; i++) c.note(std::string("w") + std::to_string(i % 7));
	return c.seen.size();
}

}

int main(int argc, char **)
{
	std::vector<int> v(static_cast<size_t>(argc) + 100, argc);
	std::sort(v.begin(), v.end(), [](int a, int b) { return a > b; });
	return deep::sum(v) + static_cast<int>(deep::words(argc + 10)) == 4711;
}
