# bash completion for flipside, signpost, flipside-repo, tufclient and bootsim. Verbs and options are read from `PROGRAM --help` itself,
# so there is no list here that could grow old.

# The lines below the heading $2 of the help text $1.
_flipside_section() {
	local line on=
	while IFS= read -r line; do
		case $line in
		"$2:") on=1 ;;
		"") on= ;;
		*) [ -z "$on" ] || printf '%s\n' "$line" ;;
		esac
	done <<<"$1"
}

# Each verb, of one or two words, on a line. Arguments are in capitals or brackets, and phrases stand behind two blanks.
_flipside_verbs() {
	_flipside_section "$1" Verbs | sed -nE 's/^  ([a-z][a-z-]*( [a-z][a-z-]*)?)( [][A-Z.].*|  .*|)$/\1/p'
}

# Each option on a line as typed ("-j", "--json"); $2: only those that take a value.
_flipside_options() {
	local value=
	[ -z "${2-}" ] || value=' [A-Z]'
	_flipside_section "$1" Options | sed -nE "s/^  (-[a-zA-Z],|   ) (--[a-z-]+)${value:-( .*|)}.*\$/\1 \2/p" | tr -d , | tr -s ' ' '\n' | sed '/^$/d' | sort -u
}

_flipside() {
	local program=$1 cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local help verbs valued words=() word i skip= verb
	help=$("$program" --help 2>/dev/null) || return 0
	verbs=$(_flipside_verbs "$help")
	valued=" $(_flipside_options "$help" valued | tr '\n' ' ')"
	COMPREPLY=()

	# The words before this one that are no options and no options' values.
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [ -n "$skip" ] && [ "$word" != = ]; then
			skip=
		elif [[ $word == -* ]]; then
			[[ $valued != *" $word "* ]] || skip=1
		elif [ "$word" != = ]; then
			words+=("$word")
		fi
	done
	[ "$previous" != = ] && [ "$cur" != = ] || skip=1

	if [ -n "$skip" ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "${cur#=}")
		compopt -o filenames 2>/dev/null
		return 0
	fi

	# The verb, as far as it is there: two words if there is such a verb, else one.
	verb=
	for word in "${words[0]-} ${words[1]-}" "${words[0]-}"; do
		if [ -z "$verb" ] && [ -n "${word// /}" ] && grep -qxF -- "$word" <<<"$verbs"; then verb=$word; fi
	done
	if [[ $cur == -* ]]; then
		# shellcheck disable=SC2086 # a verb of two words is two arguments
		[ -z "$verb" ] || help=$("$program" $verb --help 2>/dev/null)
		mapfile -t COMPREPLY < <(compgen -W "$(_flipside_options "$help")" -- "$cur")
	elif [ -z "$verb" ] && [ -n "$verbs" ]; then
		case ${#words[@]} in
		0) mapfile -t COMPREPLY < <(compgen -W "$(cut -d' ' -f1 <<<"$verbs" | sort -u)" -- "$cur") ;;
		1) mapfile -t COMPREPLY < <(compgen -W "$(sed -n "s/^${words[0]//[^a-z-]/} //p" <<<"$verbs")" -- "$cur") ;;
		esac
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
	fi
	return 0
}

complete -F _flipside flipside signpost flipside-repo tufclient bootsim
