#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-format leaves every source as it is

set -euo pipefail
me=check/format
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_tool clang-format
own_files '*.h' '*.c' '*.cpp' | xargs -r -d '\n' clang-format --dry-run -Werror 2>&1 | sort |
	awk -F: '/ error: / { lines[$1]++ } END {
		for (file in lines) { print file ": " lines[file] " places; mend with: clang-format -i " file; found = 1 }
		exit found
	}'
