"""Answers ``moby __complete WORD...``, in the protocol of cobra, which the completion scripts of docker speak (spf13/cobra, completions.go).

A line for each candidate, a tab before what it is, and at last a colon with the directive, a sum of ``Directive``'s numbers. Nothing is ever
written on standard error, and the exit code is 0: whoever presses TAB sees candidates, or nothing.
"""

from __future__ import annotations

import os

from moby_tui.cli.completion.line import Place, read
from moby_tui.cli.global_options import use
from moby_tui.cli.quick import from_environment
from moby_tui.cli.table.root import GlobalOptions
from moby_tui.errors import MobyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Candidates = list[tuple[str, str]]

#: The hidden commands, without and with descriptions.
NAMES = ("__completeNoDesc", "__complete")

# directives
ERROR, NO_SPACE, NO_FILES, ONLY_FOLDERS = 1, 2, 4, 16

#: No other character is offered: names come from other people's engines, contexts and images, and end on a line that a shell executes.
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/@+-")
_LONGEST_DESCRIPTION = 80


def complete(command: str, words: Sequence[str]) -> int:
    """Prints what may stand in the place of the last word. Always 0."""
    null = os.open(os.devnull, os.O_RDWR)
    # whatever an engine or ssh would say would be said into the caller's prompt
    os.dup2(null, 2)
    try:
        candidates, directive = _answer(words)
    except Exception:
        # a defect of ours, too, is not told to somebody who presses TAB
        candidates, directive = [], ERROR
    lines = [f"{name}\t{about}" if about and command == NAMES[1] else name for name, about in candidates]
    try:
        print(*lines, f":{directive}", sep="\n", flush=True)
    except OSError:
        os.dup2(null, 1)
    return 0


def _answer(words: Sequence[str]) -> tuple[Candidates, int]:
    chosen, place = read(words)
    if place.words:
        return [(word, about) for word, about in place.words if word.startswith(place.prefix)], NO_FILES
    source, *parameters = place.kind
    if source == "nothing":
        return [], NO_FILES
    if source == "files":
        return [], 0
    if source == "folders":
        return [], ONLY_FOLDERS
    if source == "words":
        return _fitting(place, _plain(parameters)), NO_FILES
    if source == "beginnings":
        return _fitting(place, _plain(parameters)), NO_FILES | NO_SPACE
    if source == "environment":
        return _fitting(place, _plain(sorted(os.environ))), NO_FILES
    try:
        use(GlobalOptions(**from_environment(GlobalOptions, os.environ) | chosen))
        return _objects(place, source, parameters)
    except (MobyError, OSError, TimeoutError, RuntimeError):
        return [], NO_FILES


def _objects(place: Place, source: str, parameters: Sequence[str]) -> tuple[Candidates, int]:
    from moby_tui.cli.completion.objects import named

    if source == "paths":
        return _paths(place, parameters[0])
    if source == "joined":
        begun, colon, _ = place.prefix.partition(":")
        if not colon:
            candidates = _fitting(place, _plain([*parameters, "container:"]))
            return candidates, NO_FILES | (NO_SPACE if candidates == [("container:", "")] else 0)
        running = named(("containers", "running")) if begun == "container" else []
        return _fitting(place, ((f"container:{name}", about) for name, about in running)), NO_FILES
    return sorted(_fitting(place, named(place.kind))), NO_FILES


def _paths(place: Place, source: str) -> tuple[Candidates, int]:
    """A file here, or ``NAME:`` before a path that only the engine knows."""
    from moby_tui.cli.completion.objects import named

    if place.prefix.startswith(("/", ".", "~")):
        return [], 0
    if ":" in place.prefix:
        return [], NO_FILES
    return _fitting(place, sorted((f"{name}:", about) for name, about in named((source,)))), NO_SPACE


def _plain(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    return ((name, "") for name in names)


def _fitting(place: Place, candidates: Iterable[tuple[str, str]]) -> Candidates:
    """Those that begin as the word does, that are not on the line already, and that a shell takes as they are."""
    fitting: dict[str, str] = {}
    for name, about in candidates:
        if name.startswith(place.prefix) and name not in place.given and _is_safe(name):
            fitting.setdefault(name, _shown(about))
    return list(fitting.items())


def _is_safe(name: str) -> bool:
    """Also not what would be an option."""
    return name[:1].isalnum() and _SAFE.issuperset(name)


def _shown(about: str) -> str:
    """One line of printable ASCII."""
    return "".join(letter for letter in about if " " <= letter <= "~")[:_LONGEST_DESCRIPTION]
