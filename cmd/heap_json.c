/* heap_json.c: a struct heap as JSON. The keys are documented in alloctop-heap(1) and are kept: new ones may come, none goes or changes
 * its meaning. What cannot be known is null. */
#include "cmd/heap.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/heap.h"
#include "inspect/model/plain.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"

static void number(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, v == HEAP_UNKNOWN ? json_null() : json_integer((json_int_t)v));
}

static void text(json_t *o, const char *key, const char *v)
{
	char buf[600];

	snprintf(buf, sizeof buf, "%s", v);
	json_object_set_new(o, key, json_string(plain_text(buf)));
}

static void address(json_t *o, const char *key, uint64_t v)
{
	char buf[32];

	snprintf(buf, sizeof buf, "0x%llx", (unsigned long long)v);
	json_object_set_new(o, key, json_string(buf));
}

static json_t *classes(const struct heap_allocator *a)
{
	json_t *all = json_array();

	for (size_t i = 0; i < a->nclasses; i++) {
		const struct heap_class *c = &a->class[i];
		json_t *o = json_object();
		number(o, "size", c->size);
		number(o, "live", c->live);
		number(o, "free", c->free);
		number(o, "cached", c->cached);
		number(o, "requested_bytes", c->requested);
		number(o, "slabs", c->slabs);
		number(o, "pinned", c->pinned);
		number(o, "churn", c->churn);
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *arenas(const struct heap_allocator *a)
{
	json_t *all = json_array();

	for (size_t i = 0; i < a->narenas; i++) {
		const struct heap_arena *r = &a->arena[i];
		json_t *o = json_object();
		text(o, "name", r->name);
		address(o, "address", r->addr);
		number(o, "threads", r->threads);
		number(o, "mapped_bytes", r->mapped);
		number(o, "live_bytes", r->live);
		number(o, "free_bytes", r->free);
		number(o, "cached_bytes", r->cached);
		number(o, "top_bytes", r->top);
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *locks(const struct heap_allocator *a)
{
	static const char *const kind[] = { "musl", "futex", "pair", "spin", "mutex" };
	json_t *all = json_array();

	for (size_t i = 0; i < a->nlocks; i++) {
		json_t *o = json_object();
		text(o, "name", a->lock[i].name);
		address(o, "address", a->lock[i].addr);
		text(o, "kind", kind[a->lock[i].kind]);
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *allocator(const struct heap_allocator *a)
{
	static const char *const status[] = { "complete", "torn", "unsupported" };
	json_t *o = json_object(), *facts = json_object();

	text(o, "name", a->name);
	text(o, "version", a->version);
	text(o, "owner", a->owner);
	text(o, "evidence", a->evidence);
	address(o, "state", a->state);
	json_object_set_new(o, "in_use", json_boolean(a->in_use));
	text(o, "status", status[a->status]);
	text(o, "status_text", a->status_text);
	number(o, "bad", a->bad);
	json_object_set_new(o, "read_seconds", json_real(a->read_s));
	number(o, "mapped_bytes", a->mapped);
	number(o, "live_objects", a->live_objects);
	number(o, "live_bytes", a->live_bytes);
	number(o, "requested_bytes", a->requested_bytes);
	number(o, "cached_objects", a->cached_objects);
	number(o, "cached_bytes", a->cached_bytes);
	number(o, "free_objects", a->free_objects);
	number(o, "free_bytes", a->free_bytes);
	number(o, "metadata_bytes", a->metadata_bytes);
	number(o, "large_objects", a->large_objects);
	number(o, "large_bytes", a->large_bytes);
	json_object_set_new(o, "classes", classes(a));
	json_object_set_new(o, "arenas", arenas(a));
	json_object_set_new(o, "locks", locks(a));
	for (size_t i = 0; i < a->nfacts; i++) json_object_set_new(facts, a->fact[i].name, json_real(a->fact[i].value));
	json_object_set_new(o, "facts", facts);
	return o;
}

static void put_ledger(json_t *root, const struct ledger *l)
{
	json_t *rows = json_array(), *fragmentation = json_object();

	for (size_t i = 0; i < l->nrows; i++) {
		json_t *o = json_object();
		text(o, "name", l->row[i].name);
		number(o, "bytes", l->row[i].bytes);
		number(o, "swapped_bytes", l->row[i].swapped);
		json_object_set_new(o, "derived", json_boolean(l->row[i].derived));
		text(o, "note", l->row[i].note);
		json_array_append_new(rows, o);
	}
	json_object_set_new(root, "ledger", rows);
	number(root, "retained_bytes", l->retained);
	number(root, "lazy_free_bytes", l->lazy_free);
	number(root, "swapped_bytes", l->swapped);
	number(root, "huge_bytes", l->huge);
	number(fragmentation, "internal_bytes", l->internal);
	number(fragmentation, "external_free_bytes", l->external_free);
	number(fragmentation, "external_resident_bytes", l->external_resident);
	json_object_set_new(root, "fragmentation", fragmentation);
}

static json_t *maps(const struct heap *h)
{
	json_t *all = json_array();

	for (size_t i = 0; i < h->nmaps; i++) {
		json_t *o = json_object();
		address(o, "start", h->map[i].start);
		address(o, "end", h->map[i].end);
		number(o, "resident_bytes", h->map[i].resident);
		number(o, "swapped_bytes", h->map[i].swapped);
		text(o, "what", h->map[i].what);
		text(o, "path", h->map[i].path);
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *threads(const struct heap *h)
{
	json_t *all = json_array();

	for (size_t i = 0; i < h->nthreads; i++) {
		json_t *o = json_object();
		json_object_set_new(o, "tid", json_integer(h->thread[i].tid));
		text(o, "name", h->thread[i].name);
		number(o, "stack_bytes", h->thread[i].stack);
		number(o, "cached_bytes", h->thread[i].cached);
		number(o, "cached_objects", h->thread[i].cached_objects);
		text(o, "arena", h->thread[i].arena);
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *nodes(const struct heap *h)
{
	json_t *all = json_array();

	for (size_t i = 0; i < h->nnodes; i++) {
		json_t *o = json_object();
		json_object_set_new(o, "node", json_integer(h->node[i].node));
		number(o, "anonymous_bytes", h->node[i].anonymous);
		number(o, "file_bytes", h->node[i].file);
		json_array_append_new(all, o);
	}
	return all;
}

int heap_json(const struct heap_reading *r, int compact, struct err *e)
{
	json_t *root = json_object(), *all = json_array();
	int bad;

	json_object_set_new(root, "pid", r->core ? json_null() : json_integer(r->target->pid));
	json_object_set_new(root, "inner_pid", r->core ? json_null() : json_integer(r->target->proc.inner_pid));
	text(root, "program", r->program);
	json_object_set_new(root, "time", json_real(r->at));
	if (r->before) json_object_set_new(root, "interval_seconds", json_real(r->interval_s));
	number(root, "rss_bytes", r->heap->ledger.rss);
	json_object_set_new(root, "full", json_boolean(r->heap->full));
	json_object_set_new(root, "core", json_boolean(r->core));
	json_object_set_new(root, "read_seconds", json_real(r->heap->read_s));
	json_object_set_new(root, "frozen_seconds", json_real(r->heap->frozen_s));
	json_object_set_new(root, "retries", json_integer(r->heap->retries));
	for (size_t i = 0; i < r->heap->nallocators; i++) json_array_append_new(all, allocator(&r->heap->allocator[i]));
	json_object_set_new(root, "allocators", all);
	put_ledger(root, &r->heap->ledger);
	json_object_set_new(root, "maps", maps(r->heap));
	json_object_set_new(root, "threads", threads(r->heap));
	json_object_set_new(root, "nodes", nodes(r->heap));
	bad = json_dumpf(root, stdout, compact ? JSON_COMPACT : JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
	return bad ? err_set(e, ERR_FAIL, "heap: writing JSON failed") : 0;
}
