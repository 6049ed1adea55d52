# lib.sh: for the tests in shell: `. tests/lib.sh`. TAP out; a private directory $T, removed at the end; what `start` started is
# ended at the end. The directory of sockets is private too. A script's last line is `finish`: without it there is no plan and
# the test has failed.

TOP=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
ALLOCTOP=${ALLOCTOP:-$TOP/build/alloctop}
AGENT=$TOP/build/liballoctop.so
T=$(mktemp -d)
mkdir -m 700 "$T/sockets"
export ALLOCTOP_DIR=$T/sockets
n=0 failures=0 started=()

cleanup() {
	local p
	for p in "${started[@]}"; do kill -KILL "$p" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

pass() { n=$((n + 1)); echo "ok $n - $*"; }
# fail WHAT: with diagnostics from stdin when there is some on descriptor 0: `fail what <<<"$text"`
fail() { n=$((n + 1)) failures=$((failures + 1)); echo "not ok $n - $*"; }
note() { sed 's/^/# /' <<<"$*"; }

# run CMD…: leaves $status, $out, $err
run() {
	"$@" >"$T/.out" 2>"$T/.err" </dev/null
	status=$?
	out=$(tr -d '\0' <"$T/.out") err=$(tr -d '\0' <"$T/.err")
}

# ok WHAT CMD…: passes when the command does, and returns so
ok() {
	local what=$1 status
	shift
	"$@" >"$T/.ok" 2>&1 </dev/null
	status=$?
	if [ $status = 0 ]; then pass "$what"; return 0; fi
	fail "$what"
	note "status $status of: $*"
	note "$(head -c 4000 "$T/.ok")"
	return 1
}

# is WHAT GOT WANT
is() {
	if [[ $2 == "$3" ]]; then pass "$1"; else fail "$1"; note "got: $2"; note "want: $3"; fi
}

# like WHAT TEXT REGEX; unlike
like() {
	if [[ $2 =~ $3 ]]; then pass "$1"; else fail "$1"; note "text: $2"; note "does not match: $3"; fi
}
unlike() {
	if [[ ! $2 =~ $3 ]]; then pass "$1"; else fail "$1"; note "text: $2"; note "matches: $3"; fi
}

# status_is WHAT WANT: after `run`
status_is() {
	if [[ $status == "$2" ]]; then pass "$1"; else fail "$1"; note "status $status, not $2"; note "out: $out"; note "err: $err"; fi
}

# start CMD…: in the background, output in $T/PID.out and .err; leaves $pid
start() {
	"$@" >"$T/started.out" 2>"$T/started.err" </dev/null &
	pid=$!
	started+=("$pid")
}

# await WHAT CMD…: asks again until the command succeeds. Fails the test after long patience, a minute, as a slow machine is no failure; but before
# the runner's patience is over, which would say nothing.
await() { await_from '' "$@"; }
# await_from PID WHAT CMD…: the same of what a process does; when that has ended it is not waited for
await_from() {
	local from=$1 what=$2 last= until=$((SECONDS + 60))
	shift 2
	while ((SECONDS < until)); do
		[ -z "$from" ] || lives "$from" || last=1
		"$@" >/dev/null 2>&1 && return 0
		[ -z "$last" ] || { fail "$what: the process has ended, and it never came true: $*"; return 1; }
		sleep 0.05
	done
	fail "$what: never came true: $*"
	return 1
}
# lives PID: has it not ended? One that nobody has waited for yet has.
lives() {
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" && [[ ${stat##*) } != [ZX]* ]]
}

# have TOOL…: the test cannot run without; said as a failure, tests/deps should have brought it
have() {
	local t
	for t; do command -v "$t" >/dev/null || { fail "needs $t"; finish; }; done
}

# subject NAME: path of a built subject program; NAME.musl is the one linked with musl
subject() { echo "$TOP/build/tests/subject/$1"; }

finish() { echo "1..$n"; exit $((failures > 0)); }
