#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# every file says its licence on its first or second line
# shellcheck disable=SC2119

set -euo pipefail
me=check/licence
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# JSON has no comments, golden files are compared byte by byte, a fuzzer's corpus is input
exempt='^(LICENSE|bpf/LICENSE)$|\.json$|^tests/golden/expected/|^tests/fuzz/corpus/'

wanted() {
	case $1 in
	bpf/* | tests/bpf/*) echo 'GPL-2.0|GPL-2.0 OR Apache-2.0|Apache-2.0' ;;
	*) echo 'Apache-2.0' ;;
	esac
}

status=0
while IFS= read -r file; do
	if ! head -n 2 "$file" | grep -qaE "SPDX-License-Identifier: ($(wanted "$file"))( |\$)"; then
		echo "$file: no line 'SPDX-License-Identifier: $(wanted "$file")' at its head"
		status=1
	fi
done < <(own_files | grep -vE "$exempt")
exit "$status"
