# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the checks share. A check prints what it found, one finding a line, FILE first, and has
# status 0 only when it found nothing. Checks run at the top of the tree.
# shellcheck disable=SC2119,SC2154 # me comes from what sources this

. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../lib.sh"
cd "$repo" || exit
cache=${build%/*}/check

# own_files [PATTERN...]: the project's files, as git sees them, new ones included
# shellcheck disable=SC2120
own_files() {
	git -c safe.directory="$repo" ls-files --cached --others --exclude-standard -- "$@" |
		while IFS= read -r file; do
			if [ -f "$file" ]; then printf '%s\n' "$file"; fi
		done | sort -u
}

# own_scripts: everything that a shell reads, known by its first line
own_scripts() {
	own_files | while IFS= read -r file; do
		if head -n 1 "$file" | grep -qaE '^#!.*(/| )(ba|da)?sh( |$)|^# shellcheck shell='; then
			printf '%s\n' "$file"
		fi
	done
}

# closure FILE: the file and every own header it includes, directly or not
closure() {
	local queue=("$1") file header
	local -A seen=()
	while [ ${#queue[@]} -gt 0 ]; do
		file=${queue[-1]}
		unset 'queue[-1]'
		if [ -n "${seen[$file]:-}" ] || [ ! -f "$file" ]; then continue; fi
		seen[$file]=1
		while read -r header; do queue+=("$header"); done < <(sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$file")
	done
	printf '%s\n' "${!seen[@]}" | sort
}

# verdict_key FILE CONTEXT: names the verdict on FILE; CONTEXT is the tool, its version and options
verdict_key() {
	local key
	key=$({
		printf '%s\n' "$2" "$1"
		closure "$1" | xargs -d '\n' cat
	} | sha256sum)
	printf '%s' "${key%% *}"
}

# known_clean KEY, remember_clean KEY: verdicts unused for a month go
known_clean() { [ -e "$cache/$1" ] && touch "$cache/$1"; }
remember_clean() {
	mkdir -p "$cache"
	: >"$cache/$1"
}
forget_old_verdicts() {
	[ ! -d "$cache" ] || find "$cache" -type f -mtime +30 -delete
}

# each_file COMMAND: runs the exported function COMMAND on the file names of stdin, on all cores;
# fails if any does
each_file() {
	xargs -r -d '\n' -n 1 -P "$(nproc)" bash -c "set -euo pipefail; $1 \"\$1\"" "$me"
}

need_tool() {
	command -v "$1" >/dev/null || die "the command $1 is not installed. Run scripts/setup."
}

# The compile commands and the generated headers, without which nothing that includes a skeleton
# can be looked at.
need_configured_build() {
	local log=$build/check.log targets
	mkdir -p "$build"
	{
		cmake --preset release -B "$build" &&
			targets=$(ninja -C "$build" -t targets all | sed -n 's/^\([^/:]*_skeleton_files\): phony$/\1/p') &&
			{ [ -z "$targets" ] || xargs -r ninja -C "$build" <<<"$targets"; }
	} >"$log" 2>&1 || {
		tail -n 20 "$log"
		die "the tree could not be configured; the end of $log is above. Run scripts/setup if a package is missing."
	}
}

# Every include directory and macro that some target uses; of a macro's values the first.
words_of_targets() { jq -r '.[].command' "$build/compile_commands.json" | grep -oE -- "$1" | sort -u; }
flags_of_targets() {
	{
		words_of_targets '-(I|isystem) ?[^ ]+'
		words_of_targets '-D[^ ]+' | tr -d '\134' | awk -F= '!seen[$1]++'
	} | tr '\n' ' '
}
