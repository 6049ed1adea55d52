/* thread_tls.h: see thread.h. Initial-exec thread-local storage: no call, no allocation, and it begins anew with each thread. */
#ifndef AGENT_THREAD_TLS_H
#define AGENT_THREAD_TLS_H

extern _Thread_local struct thread thread_local_state;

static ALWAYS_INLINE struct thread *thread_self(void) { return &thread_local_state; }
static ALWAYS_INLINE struct thread *thread_near(void) { return thread_self(); }
static ALWAYS_INLINE int thread_placed(const struct thread *t) { (void)t; return 1; }
static ALWAYS_INLINE void thread_renew(struct thread *t) { (void)t; }

#endif
