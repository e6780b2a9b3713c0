# bash(1) completion for potnet(8): the program itself says what may come next.
_potnet()
{
	local IFS=$'\n' kind value word words=() join= cut=
	# readline takes --host=sim and 80:30080 for three words each, and only the last is to be completed.
	for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
		case $word in
		=) words+=("") join=1 ;;
		[:@] | ::) words[-1]+=$word join=1 ;;
		*)
			[[ -n $join ]] || words+=("")
			words[-1]+=$word join=
			;;
		esac
	done
	[[ ${words[-1]} == "$word" ]] || cut=${words[-1]%"${words[-1]##*[:@]}"}
	COMPREPLY=()
	while IFS=, read -r kind value; do
		case $kind in
		plain)
			COMPREPLY+=("${value#"$cut"}")
			# More of the same word is to follow.
			[[ $value != *. ]] || compopt -o nospace 2> /dev/null
			;;
		dir) compopt -o dirnames 2> /dev/null ;;
		file) compopt -o default 2> /dev/null ;;
		esac
	done < <(COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) _POTNET_COMPLETE=bash_complete \
	    "$1" 2> /dev/null)
}

complete -F _potnet potnet
