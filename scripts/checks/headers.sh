#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# each header compiles alone: bpf/ for BPF, abi.h and all others as C++

set -euo pipefail
me=check/headers
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_tool clang-14
need_tool g++
need_tool jq
need_configured_build

flags=$(flags_of_targets)
cxx="g++ -std=c++20 -Wall -Wextra -Wpedantic -Werror $flags -I."
bpf="clang-14 -std=gnu11 -O2 -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-function -fsyntax-only
	-I. -idirafter /usr/include/$(gcc -print-multiarch) -x c -"

# Nearly all the time goes into the headers of libraries, so bundles of them are precompiled. A header
# is compiled with the first bundle of which it includes every file itself: with that it sees nothing
# that it would not see alone.
bundles=$cache/bundles
headers_of_bundle() {
	case $1 in
	1) printf '#include <%s>\n' nlohmann/json.hpp fmt/format.h tl/expected.hpp chrono ;;
	2) printf '#include <%s>\n' nlohmann/json.hpp ;;
	3) printf '#include <%s>\n' tl/expected.hpp fmt/format.h array chrono functional map memory optional vector ;;
	4) printf '#include <%s>\n' tl/expected.hpp fmt/format.h array chrono optional vector ;;
	5) printf '#include <%s>\n' tl/expected.hpp fmt/format.h ;;
	6) printf '#include <%s>\n' functional map memory ;;
	7) printf '#include <%s>\n' string vector ;;
	esac
}

# files_of: every file that the text on stdin includes
files_of() {
	$cxx -M -x c++ - | tr -d '\134' | tr ' ' '\n' | grep / | sort -u
}

make_bundle() {
	headers_of_bundle "$1" >"$bundles/$1.h"
	files_of <"$bundles/$1.h" >"$bundles/$1.files"
	$cxx -x c++-header "$bundles/$1.h" -o "$bundles/$1.h.gch"
}

# bundle_of FILE: the option that uses it, if any
bundle_of() {
	local number files
	files=$(printf '#include "%s"\n' "$1" | files_of)
	for number in 1 2 3 4 5 6 7; do
		[ -n "$(comm -23 "$bundles/$number.files" - <<<"$files")" ] || {
			printf -- '-Winvalid-pch -include %s' "$bundles/$number.h"
			return
		}
	done
}

compiles_as_cxx() {
	local bundle
	bundle=$(bundle_of "$1")
	# shellcheck disable=SC2086 # words
	printf '#include "%s"\n' "$1" | $cxx -fsyntax-only $bundle -x c++ -
}

compiles_as_bpf() { printf '#include "%s"\n' "$1" | $bpf; }

# compiles FILE HOW CONTEXT
compiles() {
	local key
	key=$(verdict_key "$1" "$3 $versions")
	known_clean "$key" && return
	"$2" "$1" || {
		echo "$1: does not compile alone"
		return 1
	}
	remember_clean "$key"
}

look() {
	case $1 in
	bpf/*) compiles "$1" compiles_as_bpf "$bpf" ;;
	esac
	case $1 in
	bpf/abi.h) compiles "$1" compiles_as_cxx "$cxx" ;;
	bpf/*) ;;
	*) compiles "$1" compiles_as_cxx "$cxx" ;;
	esac
}

versions=$(g++ --version | head -n 1; clang-14 --version | head -n 1)
export -f look compiles compiles_as_cxx compiles_as_bpf bundle_of headers_of_bundle files_of make_bundle closure
export -f verdict_key known_clean remember_clean
export cache cxx bpf versions bundles
mkdir -p "$bundles"
trap 'rm -rf "$bundles"' EXIT
seq 7 | each_file make_bundle
own_files "*.h" | each_file look
