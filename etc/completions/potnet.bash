# bash(1) completion for potnet(8): the program itself says what may come next.
_potnet()
{
	local IFS=$'\n' kind value word number=0 words=()
	# readline takes --host=sim for three words.
	for word in "${COMP_WORDS[@]:0:COMP_CWORD}"; do
		[[ $word == = ]] || words[number++]=$word
	done
	word=${COMP_WORDS[COMP_CWORD]}
	[[ $word == = ]] && word=
	COMPREPLY=()
	while IFS=, read -r kind value; do
		case $kind in
		plain) COMPREPLY+=("$value") ;;
		dir) compopt -o dirnames 2> /dev/null ;;
		file) compopt -o default 2> /dev/null ;;
		esac
	done < <(COMP_WORDS="${words[*]}$IFS$word" COMP_CWORD=$number _POTNET_COMPLETE=bash_complete \
	    "$1" 2> /dev/null)
}

complete -F _potnet potnet
