# bash completion for flipside, signpost, flipside-repo, tufclient and bootsim. Verbs and options are read from `PROGRAM --help` itself,
# so there is no list here that could grow old.

# Reads help on standard input into its caller's verbs (of one or two words), options ("-j", "--json") and valued (those with a value).
# Arguments are in capitals or brackets; phrases stand behind two blanks.
_flipside_read() {
	local line part= letter
	verbs=() options=() valued=" "
	while IFS= read -r line; do
		case $line in
		Verbs: | Options:) part=$line ;;
		"") part= ;;
		esac
		if [[ $part == Verbs: && $line =~ ^'  '([a-z][a-z-]*(' '[a-z][a-z-]*)?)(' '[A-Z[]|'  '|' '?$) ]]; then
			verbs+=("${BASH_REMATCH[1]}")
		elif [[ $part == Options: && $line =~ ^'  '('   '|-[a-zA-Z],)' '(--[a-z-]+)(' '[A-Z])? ]]; then
			letter=${BASH_REMATCH[1]//[ ,]/}
			case " ${options[*]} " in
			*" ${BASH_REMATCH[2]} "*) ;;
			*) options+=(${letter:+"$letter"} "${BASH_REMATCH[2]}") ;;
			esac
			[ -z "${BASH_REMATCH[3]}" ] || valued+="${BASH_REMATCH[2]} ${letter:+$letter }"
		fi
	done
}

_flipside() {
	local program=$1 cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local verbs options valued words=() offers=() word i skip= verb= name
	_flipside_read < <("$program" --help 2>/dev/null)

	# The words before this one that are no options and no options' values.
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [ "$word" = = ]; then
			continue
		elif [ -n "$skip" ]; then
			skip=
		elif [[ $word == -* ]]; then
			[[ $valued != *" $word "* ]] || skip=1
		else
			words+=("$word")
		fi
	done

	# The verb, as far as it is there, and what may come next of it.
	for name in "${verbs[@]}"; do
		if [ "$name" = "${words[0]-}" ] || [ "$name" = "${words[0]-} ${words[1]-}" ]; then
			verb=$name
		elif [ ${#words[@]} -eq 0 ]; then
			offers+=("${name%% *}")
		elif [ ${#words[@]} -eq 1 ] && [ "${name%% *}" = "${words[0]}" ]; then
			offers+=("${name#* }")
		fi
	done

	if [ -z "$skip" ] && [ "$previous" != = ] && [[ $cur == -* ]]; then
		# shellcheck disable=SC2086 # a verb of two words is two arguments
		[ -z "$verb" ] || _flipside_read < <("$program" $verb --help 2>/dev/null)
		mapfile -t COMPREPLY < <(compgen -W "${options[*]}" -- "$cur")
	elif [ -n "$skip" ] || [ "$previous" = = ] || [ "$cur" = = ] || [ -n "$verb" ] || [ ${#verbs[@]} -eq 0 ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "${cur#=}")
		compopt -o filenames 2>/dev/null
	else
		mapfile -t COMPREPLY < <(compgen -W "${offers[*]}" -- "$cur" | sort -u)
	fi
	return 0
}

complete -F _flipside flipside signpost flipside-repo tufclient bootsim
