/* attach.h: for unit tests: loads the attachable image into the test's own process, and fills in its block as alloctop does from outside. */
#ifndef TESTS_ATTACH_H
#define TESTS_ATTACH_H

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "agent/attach.h"
#include "agent/wire.h"
#include "inspect/client/segment.h"
#include "inspect/model/snapshot.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"

static struct attach_block *block;
static void *image;
static struct snapshot snap;

#define KEEP(p) __asm__ volatile("" : "+r"(p) : : "memory")

/* -1 when there is no such image. */
static int load(void)
{
	image = dlopen("build/alloctop-attach.so", RTLD_NOW | RTLD_LOCAL);
	block = image ? dlsym(image, ATTACH_SYMBOL) : NULL;
	return block ? 0 : -1;
}

static struct attach_entry *row(const char *name)
{
	for (struct attach_entry *e = block->entry; e->name[0]; e++)
		if (!strcmp(e->name, name)) return e;
	return NULL;
}

/* ---- what alloctop fills in ---------------------------------------------------------------------------------------------------------- */

static void take_build_id(struct attach_module *m, const ElfW(Phdr) *p)
{
	const ElfW(Nhdr) *n = (const void *)(m->bias + p->p_vaddr);

	if (p->p_type != PT_NOTE || n->n_type != NT_GNU_BUILD_ID || n->n_descsz > sizeof m->build_id) return;
	m->build_id_size = (uint8_t)n->n_descsz;
	memcpy(m->build_id, (const char *)(n + 1) + 4, n->n_descsz);
}

static int take_module(struct dl_phdr_info *o, size_t size, void *arg)
{
	uint32_t *n = arg;
	struct attach_module *m = (struct attach_module *)block->modules[(block->modules_turn + 1) & 1] + *n;

	(void)size;
	*m = (struct attach_module){ .start = UINT64_MAX, .text = UINT64_MAX, .bias = o->dlpi_addr, .is_main = !*n, .text_readable = 1 };
	for (int i = 0; i < o->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &o->dlpi_phdr[i];
		uint64_t lo = o->dlpi_addr + p->p_vaddr, hi = lo + p->p_memsz;
		if (p->p_type == PT_TLS) m->tls = p->p_memsz + p->p_align;
		if (p->p_type == PT_GNU_EH_FRAME) m->hdr = lo, m->hdr_end = hi;
		take_build_id(m, p);
		if (p->p_type != PT_LOAD) continue;
		if (lo < m->start) m->start = lo;
		if (hi > m->end) m->end = hi;
		if (p->p_flags & PF_X && lo < m->text) m->text = lo, m->text_offset = p->p_offset;
		if (p->p_flags & PF_X && hi > m->text_end) m->text_end = hi;
	}
	snprintf(m->path, sizeof m->path, "%s", *n ? o->dlpi_name : "/proc/self/exe");
	if (dlsym(image, ATTACH_SYMBOL) && m->start <= (uint64_t)block && (uint64_t)block < m->end) block->image = m->start, block->image_end = m->end;
	++*n;
	return 0;
}

static void modules(void)
{
	uint32_t n = 0, turn = block->modules_turn + 1;

	dl_iterate_phdr(take_module, &n);
	block->modules_count[turn & 1] = n;
	__atomic_store_n(&block->modules_turn, turn, __ATOMIC_RELEASE);
}

static uint64_t memory(size_t n)
{
	return (uint64_t)mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Where this libc keeps a thread's number. */
static uint32_t tid_offset(void)
{
	uint32_t tid = (uint32_t)gettid();
	const char *tp = __builtin_thread_pointer();

	for (uint32_t at = 8; at < 2048; at += 4)
		if (!memcmp(tp + at, &tid, 4)) return at;
	return 0;
}

static inline void fill(uint64_t segment, uint64_t private)
{
	block->pid = (uint32_t)getpid();
	block->tid_offset = tid_offset();
	block->segment = memory(block->segment_size = segment);
	block->private = memory(block->private_size = private);
	block->mark = memory(4096);
	*(uint32_t *)block->mark = 1;
	madvise((void *)block->mark, 4096, MADV_WIPEONFORK);
	void *vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
	block->clock = vdso ? (uint64_t)dlsym(vdso, "__vdso_clock_gettime") : 0;
	block->rate = 1;
	block->depth = WIRE_DEPTH_MAX;
	block->started_ticks = __rdtsc();
	block->started_monotonic_ns = clock_ns(CLOCK_MONOTONIC);
	block->started_realtime_ns = clock_ns(CLOCK_REALTIME);
	modules();
}

/* The image's segment, found as the process's memory tells. Leaves snap. */
static inline int look(void)
{
	struct err e;
	struct mem *mem = mem_open_pid(getpid(), &e);
	struct segment g = { mem, block->segment, block->segment_size, "this" };

	snapshot_free(&snap);
	int bad = segment_decode(&g, NULL, &snap, &e);
	mem_close(mem);
	if (bad) printf("# %s\n", e.text);
	return !bad;
}

static inline int knows(const char *path)
{
	for (size_t i = 0; i < snap.nmodules; i++)
		if (!strcmp(snap.module[i].path, path)) return 1;
	return 0;
}

/* Calls that allocate, of all threads. */
static inline double calls(void)
{
	double n = 0;

	for (size_t i = 0; i < snap.nthreads; i++) n += (double)snap.thread[i].allocs;
	return n;
}

#endif
