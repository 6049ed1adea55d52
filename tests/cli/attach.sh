# attach.sh: for the tests of attach and detach: a program that is attached to, and what must be as before when it was detached from.
have gcc musl-gcc python3

# built WHAT CMD…: what the rest of the test is made of
built() { ok "$@" || finish; }

# serve PROGRAM ARG…: runs until `end`; leaves $pid and $in, the descriptor of its input. One that does not say "ready" ends the test.
serve() {
	rm -f "$T/in" "$T/said"
	mkfifo "$T/in"
	"$@" <"$T/in" >"$T/said" 2>&1 &
	pid=$!
	started+=("$pid")
	exec {in}>"$T/in"
	await_from "$pid" "$1 is ready" grep -q ready "$T/said" && return
	note "$(cat "$T/said")"
	finish
}
# begun WHAT: the agent has begun, by a call of some thread's: until then the others' calls are not recorded
begun() { await_from "$pid" "$1: the agent has begun" "$ALLOCTOP" dump --format text "$pid"; }
# end: leaves $said, its exit status and the last line that it wrote
end() {
	exec {in}>&-
	wait "$pid"
	said="$? $(tail -n 1 "$T/said")"
}
# files: the mappings of files and what stands in those that are not writable; the program changes neither
files() { python3 - "$pid" <<'PY'
import hashlib, sys
mem = open(f"/proc/{sys.argv[1]}/mem", "rb")
for line in open(f"/proc/{sys.argv[1]}/maps"):
    f = line.split()
    if len(f) < 6 or not f[5].startswith("/"): continue
    a, b = (int(x, 16) for x in f[0].split("-"))
    mem.seek(a)
    print(f[0], f[1], f[5], "" if f[1][1] == "w" else hashlib.md5(mem.read(b - a)).hexdigest())
PY
}
# cycles: attached and detached again and again
cycles() {
	for i in 1 2 3 4 5; do "$ALLOCTOP" attach --rate 4K "$pid" && "$ALLOCTOP" detach "$pid" || echo "cycle $i failed"; done >"$T/cycles" 2>&1
	unlike "$1: again and again" "$(cat "$T/cycles")" "failed"
}
