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

# What cmake says goes to a file that is shown when it fails: a build that works is not news.
build_release() {
	local log
	command -v cmake >/dev/null || die "cmake is not installed. Run scripts/setup."
	mkdir -p "$build" || die "cannot create the build directory $build. Set BALLAST_BUILD to one you may write."
	log=$build/build.log
	say "building in $build"
	if ! (cd "$repo" && cmake --preset release -B "$build" && cmake --build "$build") >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		die "the build failed; the end of $log is above. If a package is missing, run scripts/setup."
	fi
}

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
	if [ ! -x "$build/tests/bench/ballast-load" ] || [ ! -x "$stage/bin/ballastd" ]; then build_release; fi
	need_root "$@"
	BALLAST_BUILD=$build exec "$repo/scripts/$folder/$1" "${@:2}"
}
