# heap_own.sh: for tests of one allocator: `. tests/heap_own.sh` after lib.sh.

# own WHAT MODE NAME PRELOAD PROGRAM ARG…: each line that heap_own.py prints is a test
own() {
	local what=$1 line
	shift
	if ! python3 "$TOP/tests/heap_own.py" "$ALLOCTOP" "$@" >"$T/lines" 2>"$T/lines.err"; then fail "$what"; note "$(tail -n 5 "$T/lines.err")"; fi
	while read -r line; do
		case $line in
		"ok "*) pass "$what: ${line#ok }" ;;
		*) fail "$what: ${line#FAIL }" ;;
		esac
	done <"$T/lines"
}

OWN=$(subject heap-own)
LIBS=$(gcc -print-file-name=libc.so.6)
LIBS=$(dirname "$(realpath "$LIBS")")
# link OUT FLAG…: the subject linked anew
link() {
	local out=$1
	shift
	gcc -O1 -D_GNU_SOURCE -o "$out" "$TOP/tests/subject/heap-own.c" "$@" -lpthread -lstdc++ -lm -ldl 2>"$T/link" || { fail "linking $out"; note "$(cat "$T/link")"; }
}
