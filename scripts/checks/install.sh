#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# what cmake --install puts where, manual pages by mandoc, completions in their shells

# shellcheck disable=SC2016,SC2317 # programs of other shells; functions that are called by name
set -euo pipefail
me=check/install
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_tool mandoc
need_tool fish
need_tool zsh
# shellcheck disable=SC2119
build_release -- ballast ballastd ballast_made_files 2>/dev/null

root=$(mktemp -d -t ballast-install.XXXXXX)
trap 'rm -rf "$root"' EXIT
status=0

# found FILE TEXT: a finding
found() {
	printf '%s: %s\n' "$1" "$2"
	status=1
}

# Without --prefix: where files refer to each other, it is by the path they were configured with.
DESTDIR=$root cmake --install "$build" >"$root/log" 2>&1 || {
	cat "$root/log"
	die "cmake --install failed; its output is above."
}
rm "$root/log"
echo '# changed by the operator' >>"$root/etc/ballast/policy.toml"
DESTDIR=$root cmake --install "$build" >/dev/null
grep -qx '# changed by the operator' "$root/etc/ballast/policy.toml" ||
	found /etc/ballast/policy.toml "a second cmake --install overwrites the operator's policy"
(cd "$root" && find . ! -type d -printf '%m %P\n' | sort -k 2) >"$root.tree"
if ! diff -u <(table "$repo/scripts/checks/install.tree") "$root.tree"; then
	found scripts/checks/install.tree "cmake --install puts other files there, see above"
fi
rm "$root.tree"

while IFS= read -r page; do
	# no date, so that a page does not depend on when it was made
	lint=$(mandoc -T lint -W warning "$page" | grep -v 'missing date') && found "${page#"$root"}" "$lint"
done < <(find "$root/usr/share/man" -type f)

unit=$root/usr/lib/systemd/system/ballastd.service
program=$(sed -n 's/^ExecStart=//p' "$unit")
[ -x "$root$program" ] || found "${unit#"$root"}" "ExecStart=$program is not what was installed"

# The daemon that completions ask for names.
mkdir "$root/bin"
cat >"$root/bin/ballast" <<-'END'
	#!/bin/sh
	# as `ballast complete KIND` answers
	case " $* " in
	*' complete services '*) echo orders ;;
	*' complete destinations '*) printf '%s\n' 10.0.0.5:5432 '[fd00::5]:6379' ;;
	*' complete targets '*) printf '%s\n' orders 10.0.0.5:5432 '[fd00::5]:6379' ;;
	esac
END
chmod 755 "$root/bin/ballast"

# What each shell offers after a line, one a word.
offered_by_bash() {
	PATH=$root/bin:$PATH bash -c '
		. /usr/share/bash-completion/bash_completion
		. "$1"
		COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9 COMP_KEY=9
		read -ra COMP_WORDS <<<"$COMP_LINE"
		[[ $COMP_LINE != *" " ]] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_ballast ballast "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
		printf "%s\n" "${COMPREPLY[@]}"' \
		completion "$root/usr/share/bash-completion/completions/ballast" "$1"
}

offered_by_fish() {
	PATH=$root/bin:$PATH HOME=$root fish --no-config -c '
		source $argv[1]
		complete -C $argv[2]' "$root/usr/share/fish/vendor_completions.d/ballast.fish" "$1" | cut -f 1
}

# zsh completes only at a prompt: it is given one, and what it would add is printed.
offered_by_zsh() {
	PATH=$root/bin:$PATH HOME=$root timeout 20 zsh -f "$repo/scripts/checks/install.zsh" \
		"$root/usr/share/zsh/vendor-completions" "$1"
}

# offers LINE WORD...: each shell offers these words after the line, among others
offers() {
	local line=$1 shell word words
	shift
	for shell in bash fish zsh; do
		words=$(offered_by_"$shell" "$line" || true)
		for word; do
			grep -qxF -e "$word" <<<"$words" ||
				found "completion of $shell" "does not offer '$word' after '$line', but: $(tr '\n' ' ' <<<"$words")"
		done
	done
}

offers 'ballast ' status health limit breaker unload
offers 'ballast limit ' set unset list explain
offers 'ballast limit set ' orders 10.0.0.5:5432
offers 'ballast breaker open ' 10.0.0.5:5432
offers 'ballast limit explain ' 10.0.0.5:5432
offers 'ballast limit set orders --mode ' off observe enforce
offers 'ballast limit set orders --' --max --mode --json
offers 'ballast --runtime-dir /run/ballast limit ' set unset
for shell in bash fish zsh; do
	! offered_by_"$shell" 'ballast ' | grep -qx complete || found "completion of $shell" "offers the hidden verb 'complete'"
done

exit "$status"
