# locks.sh: for the tests of alloctop locks: subjects that run until they are ended, and their locks as JSON. Contention is the scheduler's doing:
# bounds are wide.
have jq musl-gcc python3 unshare setpriv

blog=$(subject lock-blog) quiet=$(subject lock-quiet) mutex=$(subject lock-mutex)
mkfifo "$T/never"
exec 7<>"$T/never"
# begin CMD…: a subject whose input does not end
begin() {
	"$@" <&7 >"$T/subject.out" 2>&1 &
	pid=$!
	started+=("$pid")
	await "the program runs" runs
}
runs() { [ "$(readlink "/proc/$pid/exe")" != "$(readlink /proc/$$/exe)" ]; }
end() { kill -KILL "$pid"; wait "$pid" 2>/dev/null; }
threads_are() { [ "$(ls "/proc/$pid/task" | wc -l)" -ge "$1" ]; }

# watch [OPTION…]: JSON of $pid in $json
watch() { json=$("$ALLOCTOP" locks --for 2s --format json "$@" "$pid" 2>"$T/err"); }
of() { jq -r "$1" <<<"$json"; }
# holds WHAT EXPRESSION: true of the JSON
holds() { if [ "$(of "$2" 2>&1)" = true ]; then pass "$1"; else fail "$1"; note "$2"; note "$(of 'del(.locks[].stacks, .other_futexes[].stacks)' | head -c 3000)"; fi; }
lights() { # WHAT ALLOCATOR LOCK FUNCTION
	holds "$1: its lock costs most" ".locks[0].allocator == \"$2\" and (.locks[0].lock | startswith(\"$3\")) and .locks[0].lost_s_per_s > 0.1"
	holds "$1: most lock waiting is the allocator's" '.summary.allocator_share > 0.8 and .summary.allocator_lost_s_per_s > 0.1'
	holds "$1: from $4" "([.locks[0].stacks[] | select(.stack | test(\"(^| < )$4\")) | .lost_s] | add) > 0.8 * ([.locks[0].stacks[].lost_s] | add)"
}
dark() { holds "$1: nothing for the allocator" '.summary.allocator_lost_s_per_s < 0.05'; }
