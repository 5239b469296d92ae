# SPDX-License-Identifier: Apache-2.0
# install.zsh DIRECTORY LINE: what zsh's completion offers after the line, one a word, with the
# functions of the directory. zsh completes only where somebody types: a shell on a pseudo-terminal
# gets the line and a TAB, and its compadd, by which everything is offered, prints the words.
zmodload zsh/zpty
settings=$(mktemp -d)
trap 'rm -rf $settings' EXIT
cat >$settings/.zshrc <<END
PROMPT= fpath=(${(q)1} \$fpath)
autoload -Uz compinit && compinit -u -D
compadd() {
	local -a matched
	if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
		builtin compadd "\$@"
		return
	fi
	builtin compadd -A matched "\$@"
	builtin compadd "\$@"
	local status_of_it=\$?
	print -r -- "" >/dev/tty
	for word in \$matched; do print -r -- "offered:\$word" >/dev/tty; done
	return status_of_it
}
offer() {
	_main_complete
	compstate[insert]= compstate[list]=
	print -r -- "
all offered" >/dev/tty
}
zle -C offer complete-word offer
bindkey '^I' offer
print ready
END
zpty shell "ZDOTDIR=$settings exec zsh -i"
while zpty -r shell line && [[ $line != *ready* ]]; do :; done
zpty -w -n shell "$2"$'\t'
while zpty -r shell line; do
	line=${${line%%$'\n'}%%$'\r'}
	case $line in
	*'all offered'*) break ;;
	*offered:*) print -r -- ${line##*offered:} ;;
	esac
done
zpty -d shell
