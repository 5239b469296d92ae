#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy (.clang-tidy) finds nothing in any C++ source or the headers it includes

set -euo pipefail
me=check/tidy
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_tool clang-tidy-16
need_configured_build

# The sources that are compiled, by the build's own list.
compiled() {
	sed -n "s|^ *\"file\": \"$repo/\(.*\)\".*|\1|p" "$build/compile_commands.json" | sort -u
}

command_of() { grep -F -- " -c $repo/$1\"" "$build/compile_commands.json" | head -n 1; }

look() {
	local key
	key=$(verdict_key "$1" "$context $(command_of "$1")")
	known_clean "$key" && return
	# g++'s flags are in the compile commands; clang need not know all of them
	clang-tidy-16 --quiet -p "$build" --warnings-as-errors='*' \
		--extra-arg=-Wno-unknown-warning-option "$repo/$1" 2> >(grep -v 'warnings\? generated' >&2)
	remember_clean "$key"
}

forget_old_verdicts
context=$(clang-tidy-16 --version; own_files '*.clang-tidy' | xargs -r cat)
export -f look command_of closure verdict_key known_clean remember_clean
export context cache build repo
compiled | each_file look
