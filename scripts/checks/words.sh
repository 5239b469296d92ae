#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# no file names a path of one person's machine, or marks work as unfinished
# shellcheck disable=SC2119

set -euo pipefail
me=check/words
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Written so that this file does not match itself.
forbidden='(^|[[:space:]"=(:,])/([w]ork|[h]ome/[a-z]+|[r]oot|[U]sers)/|\.\./[s]hared|\b([T]ODO|[F]IXME|[X]XX|[H]ACK)\b'

status=0
own_files | grep -vE '^(LICENSE|bpf/LICENSE)$' | xargs -r -d '\n' grep -nHIE "$forbidden" || status=$?
# 0: found; 1 or, from xargs, 123: nothing found
[ "$status" -ne 0 ]
