#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# every shell script is clean for shellcheck

set -euo pipefail
me=check/shellcheck
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_tool shellcheck
version=$(shellcheck --version)
export version

look() {
	local key
	# what it sources matters too
	key=$({
		printf '%s\n' "$version" "$1"
		cat .shellcheckrc "$1" "${1%/*}"/*lib.sh scripts/*.sh 2>/dev/null || true
	} | sha256sum)
	key=${key%% *}
	known_clean "$key" && return
	shellcheck --format=gcc "$1"
	remember_clean "$key"
}
export -f look known_clean remember_clean
export cache
own_scripts | each_file look
