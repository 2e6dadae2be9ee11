"""The scripts that shells source. They call ``moby __complete`` and follow what it answers (the protocol of cobra, see ``answer``).

No script evaluates what was typed: a substitution, or a redirection, on the line is not executed by a TAB. None needs another package
(bash-completion). ``PROGRAM`` stands for the name that is completed, moby or docker.
"""

from __future__ import annotations

_BASH = r"""# bash completion for PROGRAM                              -*- shell-script -*-

# Fills `words` with the words of the line up to the cursor, in which bash has cut at = and : too, and without their quotes.
__PROGRAM_words()
{
    local line=${COMP_LINE:0:COMP_POINT} piece index gap word
    words=()
    for ((index = 0; index <= COMP_CWORD; index++)); do
        piece=${COMP_WORDS[index]}
        gap=${line%%[![:space:]]*}
        line=${line#"$gap"}
        # the word at the cursor ends there
        [[ $piece == "$line"* ]] && piece=$line
        line=${line#"$piece"}
        if [[ $gap || $index == 0 ]]; then
            words+=("$piece")
        else
            words[${#words[@]}-1]+=$piece
        fi
    done
    typed=${words[${#words[@]}-1]}
    for ((index = 0; index < ${#words[@]}; index++)); do
        piece=${words[index]}
        [[ $piece == '~/'* ]] && piece=$HOME${piece:1}
        if [[ $piece == *[\'\"\\]* ]]; then
            __PROGRAM_unquote "$piece"
            piece=$word
        fi
        words[index]=$piece
    done
}

# Sets `word` to a word without its quotes. A quote may still be open.
__PROGRAM_unquote()
{
    local rest=$1 quote= char
    word=
    while [[ $rest ]]; do
        char=${rest:0:1}
        rest=${rest:1}
        if [[ $char == "$quote" ]]; then
            quote=
        elif [[ $quote == \' ]]; then
            word+=$char
        elif [[ $char == \\ ]]; then
            [[ $quote && ${rest:0:1} != [\"\\\$\`] ]] && word+=$char
            word+=${rest:0:1}
            rest=${rest:1}
        elif [[ ! $quote && $char == [\'\"] ]]; then
            quote=$char
        else
            word+=$char
        fi
    done
}

__PROGRAM_complete()
{
    local -a words=() described=() matching=()
    local typed program out directive line name before= cut= tab=$'\t' width=0

    COMPREPLY=()
    __PROGRAM_words
    program=${words[0]}
    [[ $(type -t -- "$program") == file ]] || program=PROGRAM
    out=$("$program" __complete "${words[@]:1}" 2>/dev/null </dev/null) || return
    directive=${out##*:}
    out=${out%:*}
    [[ $directive =~ ^[0-9]+$ ]] || return
    ((directive & 1)) && return
    ((directive & 2)) && compopt -o nospace 2>/dev/null
    ((directive & 32)) && compopt -o nosort 2>/dev/null
    ((directive & 4)) && compopt +o default 2>/dev/null
    if ((directive & 16)); then
        compopt -o dirnames +o default 2>/dev/null
        return
    fi

    # what bash replaces begins after the last = or :, if it cuts words there
    if [[ $typed == -*=* ]]; then
        [[ $COMP_WORDBREAKS == *=* ]] || before=${typed%%=*}=
        typed=${typed#*=}
    fi
    if [[ $typed == *:* && $COMP_WORDBREAKS == *:* ]]; then
        cut=${typed%"${typed##*:}"}
    elif [[ $typed == *=* && $COMP_WORDBREAKS == *=* ]]; then
        cut=${typed%"${typed##*=}"}
    fi
    while IFS= read -r line; do
        name=${line%%"$tab"*}
        [[ $name ]] || continue
        matching+=("$before${name#"$cut"}")
        described+=("$line")
        ((${#name} > width)) && width=${#name}
    done <<<"$out"
    # names alone where one of them is inserted; with what they are where they are listed (COMP_TYPE 63)
    if ((${#matching[@]} < 2)) || [[ ${COMP_TYPE-} != 63 ]]; then
        for name in "${matching[@]}"; do
            COMPREPLY+=("$(printf %q "$name")")
        done
        return
    fi
    for line in "${described[@]}"; do
        name=${line%%"$tab"*}
        if [[ $line == *"$tab"* ]]; then
            printf -v name '%-*s  (%s)' "$width" "$name" "${line#*"$tab"}"
        fi
        name=${name#"$cut"}
        COMPREPLY+=("${name:0:${COLUMNS:-80}-1}")
    done
}

complete -o default -F __PROGRAM_complete PROGRAM
"""

_ZSH = r"""#compdef PROGRAM

_PROGRAM()
{
    local -a lines described plain flags
    local line directive name program=${(Q)words[1]}

    program=${program/#\~\//$HOME/}
    (( $+commands[$program] )) || [[ $program == */* && -x $program ]] || program=PROGRAM
    # (Q) takes quotes away and expands nothing
    lines=("${(@f)$("$program" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}")
    directive=${lines[-1]#:}
    lines[-1]=()
    [[ $directive == <-> ]] || return 1
    (( directive & 1 )) && return 1
    [[ $PREFIX == -*=* ]] && compset -P '*='
    if (( directive & 16 )); then
        _path_files -/
        return
    fi
    (( directive & 2 )) && flags+=(-S '')
    (( directive & 32 )) && flags+=(-V)
    for line in "${lines[@]}"; do
        [[ -n $line ]] || continue
        name=${line%%$'\t'*}
        if [[ $line == *$'\t'* ]]; then
            described+=("${name//:/\\:}:${line#*$'\t'}")
        else
            described+=("${name//:/\\:}")
        fi
    done
    if (( $#described )) && _describe -t candidates PROGRAM described "${flags[@]}"; then
        return 0
    fi
    (( directive & 4 )) || _files
}

# sourced, or called by compinit as a function of fpath
if [[ ${funcstack[1]-} == _PROGRAM ]]; then
    _PROGRAM "$@"
elif (( $+functions[compdef] )); then
    compdef _PROGRAM PROGRAM
fi
"""

_FISH = r"""# fish completion for PROGRAM

function __PROGRAM_complete
    set -l words (commandline -opc)
    set -l current (string unescape -- (commandline -ct))
    set -l program $words[1]
    set -e words[1]
    type -q -f -- $program; or set program PROGRAM
    set -l lines (command $program __complete $words "$current" 2>/dev/null </dev/null)
    set -q lines[1]; or return
    set -l directive (string replace -r '^:' '' -- $lines[-1])
    set -e lines[-1]
    string match -qr '^[0-9]+$' -- "$directive"; or return
    set -l option (string match -r -- '^-[^=]*=' "$current")
    # the bits of the directive: 1 failure, 4 no files, 16 folders alone
    test (math "floor($directive / 1) % 2") = 1; and return
    if test (math "floor($directive / 16) % 2") = 1
        __fish_complete_directories (string replace -- "$option" '' "$current") | string replace -r '^' -- "$option"
        return
    end
    if set -q lines[1]
        printf '%s\n' "$option"$lines
    else if test (math "floor($directive / 4) % 2") = 0
        __fish_complete_path (string replace -- "$option" '' "$current") | string replace -r '^' -- "$option"
    end
end

complete -c PROGRAM -e
complete -c PROGRAM -f -a '(__PROGRAM_complete)'
"""

SHELLS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(shell: str, program: str) -> str:
    """The script of one of ``SHELLS`` for a program of this name."""
    return SHELLS[shell].replace("PROGRAM", program)
