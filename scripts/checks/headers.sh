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
cxx="g++ -std=c++20 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $flags -I. -x c++ -"
bpf="clang-14 -std=gnu11 -O2 -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-function -fsyntax-only
	-I. -idirafter /usr/include/$(gcc -print-multiarch) -x c -"

# compiles FILE COMMAND
compiles() {
	local key
	key=$(verdict_key "$1" "$2 $versions")
	known_clean "$key" && return
	printf '#include "%s"\n' "$1" | $2 || {
		echo "$1: does not compile alone"
		return 1
	}
	remember_clean "$key"
}

look() {
	case $1 in
	bpf/*) compiles "$1" "$bpf" ;;
	esac
	case $1 in
	bpf/abi.h) compiles "$1" "$cxx" ;;
	bpf/*) ;;
	*) compiles "$1" "$cxx" ;;
	esac
}

versions=$(g++ --version | head -n 1; clang-14 --version | head -n 1)
export -f look compiles closure verdict_key known_clean remember_clean
export cache cxx bpf versions
own_files '*.h' | each_file look
