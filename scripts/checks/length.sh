#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# no source, script or text is longer than 450 lines
# shellcheck disable=SC2119

set -euo pipefail
me=check/length
. "$(dirname "$(readlink -f "$0")")/lib.sh"

limit=450
own_files | grep -vE '^(LICENSE|bpf/LICENSE)$|\.json$' | xargs -r -d '\n' wc -l |
	awk -v limit="$limit" '$2 != "total" && $1 > limit {
		print $2 ": " $1 " lines, more than " limit ": does it hold one idea?"; found = 1
	} END { exit found }'
