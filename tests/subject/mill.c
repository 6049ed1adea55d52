/* mill.c: a small service that grinds until its input ends, for demonstrations: one thread reads requests, another answers and
 * frees them (remote frees), every eighth answer is remembered up to 20000 of them, and a table grows now and then. It says what it
 * holds when it ends: "remembered N". */
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum { QUEUE = 64, REMEMBER = 20000 };

struct request { unsigned number; size_t size; char body[]; };
struct answer { struct answer *next; size_t size; char body[]; };

static struct { struct request *slot[QUEUE]; unsigned in, out; int closed; pthread_mutex_t lock; pthread_cond_t moved; } queue = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER,
};
static struct answer *memory;
static unsigned remembered, *table;
static size_t table_size;

__attribute__((noinline)) static struct request *read_request(unsigned number)
{
	size_t size = 100 + number * 2654435761u % 3000;
	struct request *r = malloc(sizeof *r + size);

	if (!r) abort();
	r->number = number;
	r->size = size;
	memset(r->body, 'q', size);
	return r;
}

__attribute__((noinline)) static void remember(struct answer *a)
{
	struct answer *copy = malloc(sizeof *a + a->size);

	if (!copy) abort();
	memcpy(copy, a, sizeof *a + a->size);
	copy->next = memory;
	memory = copy;
	remembered++;
}

__attribute__((noinline)) static void grow_table(void)
{
	table_size = table_size ? table_size * 2 : 1024;
	table = realloc(table, table_size * sizeof *table);
	if (!table) abort();
	memset(table, 0, table_size * sizeof *table);
}

__attribute__((noinline)) static void answer(struct request *r)
{
	struct answer *a = malloc(sizeof *a + r->size / 2);

	if (!a) abort();
	a->size = r->size / 2;
	memset(a->body, 'a', a->size);
	if (r->number % 8 == 0 && remembered < REMEMBER) remember(a);
	if (remembered >= table_size) grow_table();
	free(a);
	free(r);
}

static void *answer_all(void *unused)
{
	prctl(PR_SET_NAME, "answerer");
	pthread_mutex_lock(&queue.lock);
	for (;;) {
		while (queue.in == queue.out && !queue.closed) pthread_cond_wait(&queue.moved, &queue.lock);
		if (queue.in == queue.out) break;
		struct request *r = queue.slot[queue.out++ % QUEUE];
		pthread_cond_broadcast(&queue.moved);
		pthread_mutex_unlock(&queue.lock);
		answer(r);
		pthread_mutex_lock(&queue.lock);
	}
	pthread_mutex_unlock(&queue.lock);
	return unused;
}

int main(void)
{
	struct pollfd in = { .events = POLLIN };
	pthread_t thread;

	if (pthread_create(&thread, NULL, answer_all, NULL)) return 1;
	/* a burst of requests, a rest of a millisecond, until standard input ends */
	for (unsigned number = 0; poll(&in, 1, number % 50 ? 0 : 1) == 0; number++) {
		struct request *r = read_request(number);
		pthread_mutex_lock(&queue.lock);
		while (queue.in - queue.out == QUEUE) pthread_cond_wait(&queue.moved, &queue.lock);
		queue.slot[queue.in++ % QUEUE] = r;
		pthread_cond_broadcast(&queue.moved);
		pthread_mutex_unlock(&queue.lock);
	}
	pthread_mutex_lock(&queue.lock);
	queue.closed = 1;
	pthread_cond_broadcast(&queue.moved);
	pthread_mutex_unlock(&queue.lock);
	pthread_join(thread, NULL);
	printf("remembered %u\n", remembered);
	return 0;
}
