#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy (.clang-tidy) finds nothing in any C++ source or the headers it includes

# clang-tidy spends nearly all its time in the headers of libraries, so sources are looked at in
# groups, each one translation unit. Names in anonymous namespaces differ within a group.
set -euo pipefail
me=check/tidy
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_tool clang-tidy-16
need_tool jq
need_configured_build

# NAME and a regular expression of the sources; the first that matches takes a source. The largest
# groups first.
groups='
e2e          ^tests/e2e/([a-ce-hj-z]|discover)|^tests/bpf/test_shed
unit         ^tests/(sim/|unit/test_(answer|b[^r]|c|di[^s]|discovery|do|du|[e-g]|h[^u]|hung|idle|j|keep|l|mapped|metrics|n|o|p|q|r|s|target))
cli          ^cli/([^d]|discover/|describe/([^m]|man))|^tests/unit/test_(human|table)
services     ^daemon/(api|app|main|observe|policy)
kernel       ^daemon/(act|guards|govern|kernel)/
apart        ^cli/describe/main|^tests/unit/test_(breaker_interleaved|discover_cli)|^tests/fuzz/fuzz_diag
breakers     ^tests/unit/
harness      ^tests/(harness|bpf|api|golden)/
policy       ^daemon/(config|findings|store|resolve)/
model        ^daemon/(util|model)/|^tests/fuzz/fuzz_time
netlink      ^(daemon/netlink|tests/(e2e|bench))/
fuzz         ^tests/fuzz/
'

sources() { own_files 'daemon/*.cpp' 'cli/*.cpp' 'tests/*.cpp'; }

# group_of: SOURCE on stdin becomes GROUP SOURCE
group_of() {
	awk -v table="$groups" '
		BEGIN { n = split(table, lines, "\n"); for (i = 1; i <= n; i++) if (split(lines[i], f, " ") == 2) { name[++k] = f[1]; re[k] = f[2] } }
		{ for (i = 1; i <= k; i++) if ($0 ~ re[i]) { print name[i], $0; next }
		  print "none", $0 }'
}

look() {
	local name=$1 unit key
	unit=$units/$name.cpp
	key=$({
		printf '%s\n' "$context" "$flags"
		cat "$unit"
		awk -v g="$name" '$1 == g { print $2 }' "$units/groups" | while IFS= read -r file; do closure "$file"; done |
			sort -u | xargs -d '\n' cat
	} | sha256sum)
	key=${key%% *}
	known_clean "$key" && return
	# shellcheck disable=SC2086 # a list of words
	clang-tidy-16 --quiet --warnings-as-errors='*' "$unit" -- -std=c++20 -Wno-unknown-warning-option $flags \
		2> >(grep -v 'warnings\? generated' >&2)
	remember_clean "$key"
}

forget_old_verdicts
units=$cache/tidy
mkdir -p "$units"
sources | group_of >"$units/groups"
if grep '^none ' "$units/groups"; then die "no group of $0 takes the sources above."; fi
awk '{ print $1 }' "$units/groups" | sort | uniq | while read -r name; do
	awk -v g="$name" -v top="$repo" '$1 == g { printf "#include \"%s/%s\" // NOLINT(bugprone-suspicious-include)\n", top, $2 }' "$units/groups" >"$units/$name.cpp"
done
context=$(clang-tidy-16 --version; own_files '*.clang-tidy' | xargs -r cat)
flags="$(flags_of_targets) -DTOML_HEADER_ONLY=0"
export -f look closure known_clean remember_clean
export context cache flags units
# the order of the table
awk 'NF == 2 { print $1 }' <<<"$groups" | while read -r name; do [ ! -e "$units/$name.cpp" ] || echo "$name"; done | each_file look
