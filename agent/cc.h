/* cc.h: the only place in the agent that names compiler attributes. */
#ifndef AGENT_CC_H
#define AGENT_CC_H

#define EXPORT __attribute__((visibility("default"), used))
/* Data that the fast path reads: known not to be another object's, it is reached without the table by which it could be. */
#define OURS __attribute__((visibility("hidden")))
/* A function that is called more often than all others: it begins with a line of the cache. */
#define HOT __attribute__((aligned(64)))
#define COLD __attribute__((cold, noinline))
#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNUSED __attribute__((unused))
#define WEAK __attribute__((weak, visibility("default")))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ALIGNED(n) __attribute__((aligned(n)))

/* Relaxed and ordered accesses to words that other threads touch. */
#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define STORE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define ACQUIRE(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define RELEASE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELEASE)
#define ADD(x, v) __atomic_fetch_add(&(x), v, __ATOMIC_RELAXED)
#define CAS(x, expected, v) __atomic_compare_exchange_n(&(x), expected, v, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

#endif
