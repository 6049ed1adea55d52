# torture.sh: sourced by the torture tests: runs the modes of a torture-* subject, on glibc and musl, with the agent and without, and
# compares exit status and output. Each mode meets one setting of the agent, in turn; FULL=1: every mode every setting.
PER_RUN=60      # seconds of patience: a hang is a failure, not slowness
settings=(
	"ALLOCTOP_RATE=1"
	"ALLOCTOP_RATE=4096 ALLOCTOP_THREAD=always"
	"ALLOCTOP_RATE=1 ALLOCTOP_EXACT=1 ALLOCTOP_THREAD=never"
	"ALLOCTOP_RATE=64 ALLOCTOP_FOLLOW=1 ALLOCTOP_SEGMENT=$T/%p.seg"
	"ALLOCTOP_THREAD=always"
)
turn=0

# once PRELOAD SETTINGS PROGRAM MODE: leaves the output in $said, the exit status in its last line. Through a pipe: some modes may not
# write to files.
once() {
	said=$({ timeout -k 1 $PER_RUN env $2 LD_PRELOAD="$1" "$3" "$4" 2>&1; echo "status $?"; } </dev/null | head -c 20000)
	rm -f "$T"/*.seg
}

# torture PROGRAM BEHIND [MODE…]: all its modes, or those
torture() {
	local program=$1 behind=$2 libc mode s p good
	shift 2
	for libc in "" .musl; do
		p=$(subject "$program$libc")
		for mode in ${*:-$("$p")}; do
			once "${behind:+$(subject "$behind$libc")}" "" "$p" "$mode"
			good=$said
			if [[ $good != *"status 0" ]]; then
				fail "$program$libc $mode without the agent"
				note "$said"
				continue
			fi
			if [[ ${FULL:-} ]]; then set_of=("${settings[@]}")
			else set_of=("${settings[turn++ % ${#settings[@]}]}"); fi
			for s in "${set_of[@]}"; do
				once "$AGENT${behind:+ $(subject "$behind$libc")}" "$s" "$p" "$mode"
				is "$program$libc $mode, $s" "${said//$T/}" "${good//$T/}"
			done
		done
	done
}
