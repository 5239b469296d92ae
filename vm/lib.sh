# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What vm/fetch and vm/run share. The sourcing script sets vm_dir and me.
# shellcheck disable=SC2154

say() { printf '%s: %s\n' "$me" "$*" >&2; }

die() {
	say "$@"
	exit "${die_status:-125}"
}

cache_dir=${BALLAST_VM_CACHE:-${XDG_CACHE_HOME:-${HOME:?is not set; set it or BALLAST_VM_CACHE}/.cache}/ballast/vm}

# table FILE: the rows, without comments and blank lines
table() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$1"; }

# need COMMAND PACKAGE: sbin is searched too, plain users often lack it in PATH
PATH=$PATH:/usr/sbin:/sbin
need() {
	command -v "$1" >/dev/null ||
		die "the command '$1' is not installed. Install the Debian package '$2' (apt-get install $2)."
}

# Sets suite, package, expectation and emulated_cpu from the matrix.
kernel_row() {
	local row
	row=$(table "$vm_dir/kernels" | awk -v k="$1" '$1 == k')
	[ -n "$row" ] || die "no kernel '$1' in $vm_dir/kernels. It has: $(table "$vm_dir/kernels" | awk '{printf "%s ", $1}')"
	# shellcheck disable=SC2034 # package and suite are for vm/fetch, the others for vm/run
	read -r _ suite package expectation emulated_cpu <<<"$row"
	case ${expectation:-} in
	run | refuse) ;;
	*) die "in $vm_dir/kernels the row '$1' has the expectation '${expectation:-}'. Write 'run' or 'refuse'." ;;
	esac
}

make_cache_dir() {
	if ! mkdir -p "$cache_dir" || [ ! -w "$cache_dir" ]; then
		die "cannot write to the cache directory $cache_dir. Set BALLAST_VM_CACHE to one you own."
	fi
}

# One at a time on what FILE guards; the lock goes with the process.
take_lock() {
	local file=$1 fd=$2
	eval "exec $fd>\"\$file\"" || die "cannot create the lock $file. Check who owns its directory."
	flock -n "$fd" && return
	say "waiting for another run that holds $file"
	# waited for, as signals are not heeded while a command is in the foreground
	flock "$fd" &
	wait "$!"
}
