"""Which command a command line calls, found without a parser: it decides what must happen before anything is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_WITH_VALUE = frozenset(
    {
        *("-H", "--host", "--data-root", "--exec-root", "--hooks-dir", "--signature-policy"),
        *("--config", "-c", "--context", "-l", "--log-level", "--tlscacert", "--tlscert", "--tlskey"),
    }
)
#: The variables that name another engine.
_NAMES_HOST = ("MOBY_HOST", "DOCKER_HOST", "DOCKER_CONTEXT")
_GROUPS = frozenset({"container", "image", "builder"})
#: The commands that start containers, in this process where no other engine is named.
STARTERS = frozenset({"run", "start", "restart", "build", "daemon", "tui"})


def split(argv: Sequence[str]) -> tuple[str, bool]:
    """The name of the command (of the sub-command within a group; empty: none) and whether a host is named."""
    named_host = False
    words = iter(argv)
    for word in words:
        if word.startswith("-") and word != "-":
            option = word.partition("=")[0] if word.startswith("--") else word[:2]
            named_host = named_host or option in ("-H", "--host", "-c", "--context")
            if word in _WITH_VALUE:
                next(words, None)
        elif word not in _GROUPS:
            return word, named_host
    return "", named_host


def starts_many(argv: Sequence[str]) -> bool:
    """True if the command runs on and may start several containers."""
    return split(argv)[0] in ("build", "daemon", "tui")


def starts_containers_here(argv: Sequence[str], environment: Mapping[str, str]) -> bool:
    """True if this process will start containers, and so needs a launcher."""
    command, named_host = split(argv)
    if command == "daemon":
        return True
    return command in STARTERS and not named_host and not any(map(environment.get, _NAMES_HOST))
