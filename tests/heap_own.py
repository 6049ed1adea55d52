"""heap_own.py: alloctop heap against subject heap-own: `heap_own.py ALLOCTOP quiet|busy NAME PRELOAD PROGRAM ARG…`, PRELOAD "-" for none.
Prints TAP without a plan's numbers: "ok what", "FAIL what: why"."""
import json
import os
import subprocess
import sys

ALLOCTOP, MODE, NAME, PRELOAD, *PROGRAM = sys.argv[1:]
MIB = 1 << 20


def check(what, good, *why):
    print("ok" if good else "FAIL", what, *([] if good else why))


def heap(pid, *args):
    r = subprocess.run([ALLOCTOP, "heap", "--format", "json", *args, str(pid)], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout)


def ours(h):
    return next(a for a in h["allocators"] if a["name"] == NAME)


def row(h, name):
    return sum(r["bytes"] for r in h["ledger"] if r["name"] == name)


def closes(h, how):
    rows = sum(r["bytes"] for r in h["ledger"])
    check(f"{how}: the ledger adds up", rows == h["rss_bytes"], rows, h["rss_bytes"])
    check(f"{how}: little is unexplained", row(h, "unexplained") <= max(h["rss_bytes"] // 50, MIB), row(h, "unexplained"))
    check(f"{how}: little is of no allocator", row(h, "anonymous, of no allocator") <= MIB, row(h, "anonymous, of no allocator"))
    mine = sum(r["bytes"] for r in h["ledger"] if r["name"].startswith(NAME + ":"))
    others = [r["name"] for r in h["ledger"] if ": " in r["name"] and not r["name"].startswith(NAME + ":") and r["bytes"] > MIB]
    check(f"{how}: no other allocator claims it", mine > 0 and not others, mine, others)


class Subject:
    def __init__(self, *args):
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        if PRELOAD != "-":
            env["LD_PRELOAD"] = PRELOAD
        self.p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        assert self.p.stdout.readline() == b"ready\n"
        self.pid = self.p.pid

    def ask(self):
        self.p.stdin.write(b"\n")
        self.p.stdin.flush()
        return json.loads(self.p.stdout.readline())

    def end(self):
        self.p.kill()
        self.p.wait()


def same(what, got, want):
    check(what, got == want, got, "not", want)


def jemalloc_says(a, own, facts):
    """What mallctl says. The stacks of tcaches are blocks of its heap for it, metadata for us."""
    if not own:
        return
    same("live and cached bytes are mallctl's", a["live_bytes"] + a["cached_bytes"], own["stats.allocated"] - own["stats.arenas.4096.internal"])
    same("cached bytes are mallctl's", a["cached_bytes"], own["stats.arenas.4096.tcache_bytes"])
    same("dirty and retained bytes are mallctl's", (facts["dirty"], facts["retained"]), (own["stats.arenas.4096.pdirty"] * 4096, own["stats.retained"]))
    for ours_, theirs in (("ops", "num_ops"), ("waits", "num_wait"), ("spins", "num_spin_acq"), ("owner_switches", "num_owner_switch")):
        same(f"bin locks: {ours_} are mallctl's", facts["bin_lock_" + ours_], own[theirs])


def tcmalloc_says(a, own, facts):
    if not own:
        return
    same("live bytes are MallocExtension's", a["live_bytes"], own["generic.current_allocated_bytes"])
    same("threads' caches are MallocExtension's", facts["thread_cache_free"], own["tcmalloc.current_total_thread_cache_bytes"])
    same("transfer caches are MallocExtension's", facts["transfer_cache_free"], own["tcmalloc.transfer_cache_free_bytes"])
    same("free spans are MallocExtension's", (facts["pageheap_free"], facts["pageheap_unmapped"]),
         (own["tcmalloc.pageheap_free_bytes"], own["tcmalloc.pageheap_unmapped_bytes"]))
    same("the heap's size is MallocExtension's", a["mapped_bytes"], own["generic.heap_size"])


def mimalloc_says(a, own, facts):
    version = own.get("mi_version", 0)
    check("the version is among those of its layout", version == 209 and a["version"] == "2.0.7 to 2.1.2", version, a["version"])
    check("pages of the thread that ended are abandoned", facts["pages_abandoned"] > 0, facts)
    check("what other threads freed is seen", facts["freed_by_other_threads"] > 0, facts)


SAYS = {"jemalloc": jemalloc_says, "tcmalloc": tcmalloc_says, "mimalloc": mimalloc_says}


def quiet():
    s = Subject(*PROGRAM)
    before = ours(heap(s.pid))
    truth = s.ask()
    quick, full = heap(s.pid), heap(s.pid, "--full")
    for h, how in ((quick, "quick"), (full, "full")):
        a = ours(h)
        check(f"{how}: complete", a["status"] == "complete" and a["bad"] == 0, a["status_text"])
        check(f"{how}: in use", a["in_use"])
        same(f"{how}: live objects", a["live_objects"] - before["live_objects"], truth["live_objects"])
        same(f"{how}: live bytes", a["live_bytes"] - before["live_bytes"], truth["live_bytes"])
        closes(h, how)
    was = {c["size"]: c["live"] for c in before["classes"]}
    got = {str(c["size"]): c["live"] - was.get(c["size"], 0) for c in a["classes"] if c["live"] != was.get(c["size"], 0)}
    same("live objects of each size", got, truth["classes"])
    SAYS[NAME](a, truth["own"], a["facts"])
    s.end()


def busy():
    s = Subject(*PROGRAM, "churn")
    before = ours(heap(s.pid))
    truth = s.ask()
    worst = 0
    for _ in range(5):
        h = heap(s.pid)
        worst = max(worst, abs(ours(h)["live_objects"] - before["live_objects"] - truth["live_objects"]) / truth["live_objects"])
    check("live objects of a busy program within 3 %", worst <= 0.03, worst)
    closes(h, "busy")
    s.end()


{"quiet": quiet, "busy": busy}[MODE]()
