/* recall.c: what was found is recalled while the process and its code are the same, and looked for again otherwise; of this test itself. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#include "inspect/allocator/recall.h"
#include "inspect/allocator/survey.h"
#include "inspect/target/err.h"
#include "tests/tap.h"

static struct recall recall;
static struct target t;

/* Whether the next look is answered from memory: in which a word is left that no look would find. */
static int recalled(void)
{
	struct allocator_found out[RECALL_MAX];

	strcpy(recall.found[0].version, "left there");
	return recall_probe(&recall, &t, out, RECALL_MAX) && !strcmp(out[0].version, "left there");
}

int main(void)
{
	struct allocator_found out[RECALL_MAX];
	struct survey_options o = { .recall = &recall };
	struct heap h;
	struct err e;
	void *page;
	int fd;

	free(malloc(100));
	if (target_open_pid(&t, getpid(), &e)) return 1;
	t.proc.uptime_s = 1;
	ok(recall_probe(&recall, &t, out, RECALL_MAX) > 0 && !recalled(), "of a process that has just begun nothing is kept");
	t.proc.uptime_s = 100;
	ok(recall_probe(&recall, &t, out, RECALL_MAX) > 0 && recalled(), "later it is");
	ok(recall_probe(&recall, &t, out, 0) == 0, "no more than there is room for");
	ok(recall_probe(NULL, &t, out, RECALL_MAX) > 0 && strcmp(out[0].version, "left there"), "without a memory it is looked");

	fd = open("/proc/self/exe", O_RDONLY);
	page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (target_refresh(&t, &e)) return 1;
	t.proc.uptime_s = 100;
	ok(page != MAP_FAILED && !recalled(), "code that was mapped since: looked again");
	ok(recalled(), "and kept again");
	t.proc.stack_start += 16;
	ok(!recalled(), "another program: looked again");
	ok(recalled() && (recall_forget(&recall), !recalled()), "what made no sense is forgotten");
	recall_forget(NULL);

	struct smaps s;
	recall_probe(&recall, &t, out, RECALL_MAX);
	ok(!recall_smaps(&recall, &t, &s, &e) && (recall.sums.rss = 12345, !recall_smaps(&recall, &t, &s, &e)) && s.rss == 12345, "sums are kept for some seconds");
	t.proc.stack_start += 16;
	recall_probe(&recall, &t, out, RECALL_MAX);
	ok(!recall_smaps(&recall, &t, &s, &e) && s.rss != 12345, "but not those of another program");

	/* where a reader gives up on what was recalled, the survey looks once more */
	recall_probe(&recall, &t, out, RECALL_MAX);
	for (size_t i = 0; i < recall.n; i++) recall.found[i].state = 64;
	ok(!survey_read(&t, &o, &h, &e) && h.nallocators && h.allocator[0].status == HEAP_COMPLETE && h.allocator[0].live_bytes > 0 &&
	   h.allocator[0].live_bytes != HEAP_UNKNOWN, "a place that holds nothing any more: found where it is");
	heap_free(&h);
	target_close(&t);
	return done();
}
