# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the scripts share. The sourcing script sets `me`, its name in messages.
# BALLAST_BUILD names another build directory than build/release.
# shellcheck disable=SC2154 # me comes from what sources this

repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd -P)
build=${BALLAST_BUILD:-$repo/build/release}
# shellcheck disable=SC2034 # for what sources this
stage=$build/stage

# Plain users often lack the sbin directories, where ip, nft and bpftool are.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '%s: %s\n' "$me" "$*" >&2; }

die() {
	say "$@"
	exit "${die_status:-1}"
}

usage_error() {
	say "$*"
	usage >&2
	exit 2
}

# table FILE: the rows, without comments and blank lines
table() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$1"; }

# need_root ARG...: starts the calling script again through sudo with ARG... unless this is root
need_root() {
	[ "$(id -u)" -ne 0 ] || return 0
	command -v sudo >/dev/null ||
		die "needs root: it loads programs into the kernel or installs packages. There is no sudo here; run it as root."
	say "needs root, asking sudo for it"
	exec sudo -- env BALLAST_BUILD="$build" "$(readlink -f "$0")" "$@"
}

# last_step LOG: how far ninja, ctest or apt is, by its last line that says so
last_step() {
	tail -c 4096 "$1" 2>/dev/null | tr '\r' '\n' |
		grep -oE '^\[[0-9]+/[0-9]+\]|^ *[0-9]+/[0-9]+ Test|^(Get:|Unpacking|Setting up|Selecting)[^(]{0,40}' | tail -n 1 || true
}

# shown WHAT LOG COMMAND...: runs the command with its output in LOG, and shows on stderr what it is
# at and for how long: on a terminal a line that rewrites itself, else a line at its beginning and
# end and every 30 s. The status is the command's.
shown() {
	local what=$1 log=$2 begin=$SECONDS said=$SECONDS status=0 pid
	shift 2
	[ -t 2 ] || say "$what"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		if [ -t 2 ]; then
			printf '\r\033[K%s: %s %s (%d s)' "$me" "$what" "$(last_step "$log")" $((SECONDS - begin)) >&2
		elif [ $((SECONDS - said)) -ge 30 ]; then
			said=$SECONDS
			say "$what: $(last_step "$log") ($((SECONDS - begin)) s)"
		fi
		sleep 0.5
	done
	wait "$pid" || status=$?
	[ ! -t 2 ] || printf '\r\033[K' >&2
	say "$what: $([ "$status" -eq 0 ] && echo "done" || echo FAILED) in $((SECONDS - begin)) s"
	return "$status"
}

# configure_and_build PRESET DIRECTORY CMAKE-OPTION... [-- TARGET...]
configure_and_build() {
	local preset=$1 directory=$2 options=()
	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	[ $# -eq 0 ] || shift
	(cd "$repo" && cmake --preset "$preset" -B "$directory" "${options[@]}" && cmake --build "$directory" ${1:+--target "$@"})
}

# build_preset PRESET DIRECTORY [CMAKE-OPTION...] [-- TARGET...]: shows the log's end when it fails
build_preset() {
	command -v cmake >/dev/null || die "cmake is not installed. Run scripts/setup."
	mkdir -p "$2" || die "cannot create the build directory $2. Set BALLAST_BUILD to one you may write."
	shown "compiling ($1)" "$2/build.log" configure_and_build "$@" && return
	tail -n 40 "$2/build.log" >&2
	die_status=1 die "the build failed; the end of $2/build.log is above. If a package is missing, run scripts/setup."
}

# shellcheck disable=SC2120 # targets are optional
build_release() { build_preset release "$build" "$@"; }

# wait_until TENTHS COMMAND...: polls until it succeeds, for at most TENTHS tenths of a second
wait_until() {
	local left=$1
	shift
	until "$@"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 0.1
	done
}

# cgroup2_root: where the version 2 hierarchy is mounted, which is not the same on every host
cgroup2_root() {
	awk '$3 == "cgroup2" { print $2; found = 1; exit } END { exit !found }' /proc/self/mounts ||
		die "no cgroup v2 is mounted, and admission is attached to it. Mount one: mount -t cgroup2 none DIR."
}

# list_parts FOLDER: names and third lines of the scripts in scripts/FOLDER
list_parts() {
	local file
	for file in "$repo/scripts/$1"/*; do
		[ ! -x "$file" ] || printf '  %-10s %s\n' "${file##*/}" "$(sed -n '3s/^# //p' "$file")"
	done
}

# run_part FOLDER [NAME ARG...]: sets up, builds if that was never done, then becomes
# scripts/FOLDER/NAME as root
run_part() {
	local folder=$1
	shift
	case ${1:-} in
	'' | -h | --help | --list)
		usage
		exit 0
		;;
	*/* | .*) usage_error "'$1' is not a name." ;;
	esac
	[ -x "$repo/scripts/$folder/$1" ] || usage_error "there is no '$1'."
	case ${2:-} in
	-h | --help) exec "$repo/scripts/$folder/$1" --help ;;
	esac
	"$repo/scripts/setup"
	# shellcheck disable=SC2119
	if [ ! -x "$build/tests/bench/ballast-load" ] || [ ! -x "$stage/bin/ballastd" ]; then build_release; fi
	need_root "$@"
	BALLAST_BUILD=$build exec "$repo/scripts/$folder/$1" "${@:2}"
}
