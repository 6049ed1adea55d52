/* musl-heap: builds a heap, says what is in it, and waits on stdin. `musl-heap COUNT [THREADS [CHURN]]`.
 * COUNT objects of a dozen sizes; then every third of some sizes, nearly all of others, is freed, some are resized, some aligned; so there are
 * nested groups, groups with few objects left, blocks with mappings of their own. The truth: "SIZE live objects bytes" for each size class of requests,
 * then "total OBJECTS BYTES". Everything else that libc allocates (stdio) is avoided. With THREADS, each first builds its share and then,
 * with CHURN, goes on freeing and allocating what it has, always as many. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { KINDS = 12, THREADS_MAX = 64 };

struct block { void *p; size_t size; };

static const size_t sizes[KINDS] = { 1, 24, 40, 64, 100, 200, 500, 1000, 3000, 10000, 60000, 200000 };
static const unsigned share[KINDS] = { 100, 200, 300, 1000, 300, 200, 100, 50, 20, 5, 2, 1 };    /* of about 2278 */

static size_t count;
static int churn;

static void say(const char *s) { if (write(1, s, strlen(s)) < 0) _exit(1); }

static struct block *blocks;    /* from a mapping of its own: libc's malloc of so much would be in the truth */

static size_t kind_of(unsigned *seed)
{
	unsigned total = 0, k = 0;
	for (unsigned j = 0; j < KINDS; j++) total += share[j];
	unsigned r = (*seed = *seed * 1103515245 + 12345) / 65536 % total;
	for (; r >= share[k]; k++) r -= share[k];
	return k;
}

static void make(struct block *b, size_t size)
{
	b->size = size;
	if (size % 7 == 3) {
		if (posix_memalign(&b->p, 512, size)) _exit(2);
	} else b->p = malloc(size);
	if (!b->p) _exit(2);
	memset(b->p, 0x5a, size < 64 ? size : 64);
}

static void drop(struct block *b) { free(b->p); *b = (struct block){ 0, 0 }; }

static void build(size_t from, size_t to, unsigned seed)
{
	for (size_t i = from; i < to; i++) {
		size_t k = kind_of(&seed);
		make(&blocks[i], sizes[k] + (seed >> 8) % (sizes[k] / 4 + 1));
	}
	for (size_t i = from; i < to; i++) {
		size_t s = blocks[i].size;
		if (s < 40 ? i % 3 == 0 : s >= 500 && s < 1300 ? i % 40 != 0 : i % 11 == 0) drop(&blocks[i]);
		else if (i % 13 == 0) {
			size_t n = s / 2 + 1;
			if (!(blocks[i].p = realloc(blocks[i].p, n))) _exit(2);
			blocks[i].size = n;
		}
	}
}

struct job { size_t from, to; unsigned seed; };
static pthread_barrier_t built;

static void *work(void *arg)
{
	struct job *j = arg;
	unsigned seed = j->seed;
	build(j->from, j->to, seed);
	pthread_barrier_wait(&built);
	pthread_barrier_wait(&built);
	while (churn) {
		size_t i = j->from + (seed = seed * 1103515245 + 12345) / 65536 % (j->to - j->from);
		if (!blocks[i].p) continue;
		size_t size = blocks[i].size;
		if (size > 100000) continue;
		drop(&blocks[i]);
		make(&blocks[i], size);
	}
	return NULL;
}

static void truth(void)
{
	char line[128];
	size_t objects = 0, bytes = 0;
	for (unsigned k = 0; k < KINDS; k++) {
		size_t n = 0, b = 0;
		for (size_t i = 0; i < count; i++)
			if (blocks[i].p && blocks[i].size <= sizes[k] + sizes[k] / 4 && (!k || blocks[i].size > sizes[k - 1] + sizes[k - 1] / 4)) {
				n++;
				b += blocks[i].size;
			}
		sprintf(line, "%zu live %zu %zu\n", sizes[k] + sizes[k] / 4, n, b);
		say(line);
		objects += n;
		bytes += b;
	}
	sprintf(line, "total %zu %zu\n", objects, bytes);
	say(line);
}

int main(int argc, char **argv)
{
	static struct job job[THREADS_MAX];
	pthread_t id;
	char c;
	unsigned threads = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	count = argc > 1 ? (size_t)atol(argv[1]) : 10000;
	churn = argc > 3;
	blocks = mmap(NULL, count * sizeof *blocks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (blocks == MAP_FAILED || threads > THREADS_MAX) return 2;
	if (!threads) build(0, count, 1);
	else {
		pthread_barrier_init(&built, NULL, threads + 1);
		for (unsigned i = 0; i < threads; i++) {
			job[i] = (struct job){ count * i / threads, count * (i + 1) / threads, i + 1 };
			if (pthread_create(&id, NULL, work, &job[i])) return 2;
		}
		pthread_barrier_wait(&built);
	}
	truth();
	if (threads) pthread_barrier_wait(&built);
	say("ready\n");
	return read(0, &c, 1) < 0;
}
