# diagnose.sh: for the tests of diagnose, after tests/lib.sh: many processes, diagnosed at the same time.
declare -A who
ready() { grep -q ready "$T/$1.said"; }
# sick NAME CMD…: started, and known by that name; what it says is in $T/NAME.said
sick() {
	local name=$1
	shift
	"$@" >"$T/$name.said" 2>&1 </dev/null &
	started+=("$!")
	who[$name]=$!
}
# all SECONDS NAME…: all of them at the same time
all() {
	local seconds=$1 name jobs=()
	shift
	for name; do
		{ "$ALLOCTOP" diagnose --for "$seconds" --format json "${who[$name]}" >"$T/$name.json" 2>"$T/$name.err"; echo $? >"$T/$name.status"; } &
		jobs+=($!)
	done
	wait "${jobs[@]}"
}
# over: with all that was started
over() { { kill -KILL "${started[@]}"; wait "${started[@]}"; started=(); } 2>/dev/null; }
rules() { jq -r '[.findings[].rule] | sort | join(" ")' "$T/$1.json"; }
of() { jq -r "$2" "$T/$1.json"; }
holds() { if [ "$(of "$2" "$3")" = true ]; then pass "$1"; else fail "$1"; note "$3"; note "$(jq -c 'del(.series)' "$T/$2.json" | head -c 3000)" "$(cat "$T/$2.err")"; fi }
# found NAME RULE: that one, and 10
found() {
	holds "$1: $2" "$1" "[.findings[].rule] | index(\"$2\") != null"
	is "$1: the exit status says so" "$(cat "$T/$1.status")" 10
}
# again NAME RULE: what depends on who is running when is looked for some times more
again() {
	local i
	for i in 1 2 3 4 5; do
		[[ " $(rules "$1") " == *" $2 "* ]] && return
		all 1.5s "$1"
	done
}
healthy() {
	is "$1: healthy" "$(rules "$1") $(cat "$T/$1.status")" " 0"
	holds "$1: everything was read" "$1" '.healthy and (.not_read | has("heap") or has("locks") | not)'
}
