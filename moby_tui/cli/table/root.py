"""The options before the command, the nouns, and which command a command line calls.

Read before anything else: a launcher must be started before much is imported.
"""

from __future__ import annotations

import sys

from moby_tui.cli.table.declare import Options, many, switch, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from moby_tui.cli.table.declare import Command, Noun

#: For each noun the module of this package that declares it; the empty name is of commands without a noun. Common ones are first.
NOUNS = {
    "container": "containers",
    "image": "images",
    "": "nounless",
    "network": "networks",
    "volume": "volumes",
    "system": "system",
    "builder": "builds",
    "registry": "registries",
    "manifest": "registries",
    "secret": "secrets",
    "context": "contexts",
}
#: Commands that start containers, by their name without a noun; those of the second set run on and may start several.
STARTERS = frozenset({"run", "start", "restart"})
LASTING = frozenset({"build", "daemon", "tui"})
#: The variable that tells a dashboard that it is drawn in a browser: ``moby tui --web`` sets it for those that it starts.
WEB_SESSION = "MOBY_WEB_SESSION"
#: Commands of docker's that this engine does not have yet, by noun.
MISSING: dict[str, frozenset[str]] = {
    "": frozenset(
        {
            *("bake", "buildx", "checkpoint", "compose", "config", "node", "plugin"),
            *("service", "stack", "swarm", "trust"),
        }
    ),
    "volume": frozenset({"update"}),
}


class TlsOptions(Options):
    """Docker's options of TLS: to the engine that is talked to, or, of `moby daemon`, to its own clients."""

    tls: bool = switch("--tls", help="Use TLS; implied by --tlsverify")
    tlsverify: bool = switch("--tlsverify", help="Use TLS and verify the remote")
    tlscacert: str = value(
        "--tlscacert",
        metavar="string",
        help="Trust certs signed only by this CA  [default: ca.pem in DOCKER_CERT_PATH or ~/.docker]",
    )
    tlscert: str = value(
        "--tlscert", metavar="string", help="Path to TLS certificate file  [default: cert.pem in DOCKER_CERT_PATH or ~/.docker]"
    )
    tlskey: str = value(
        "--tlskey", metavar="string", help="Path to TLS key file  [default: key.pem in DOCKER_CERT_PATH or ~/.docker]"
    )


class GlobalOptions(TlsOptions):
    """The options that stand before the command: ``moby --data-root /srv ps``."""

    host: str = value(
        "-H",
        "--host",
        environment=("MOBY_HOST", "DOCKER_HOST"),
        help="Engine to talk to (unix://, tcp://, ssh://); none: the engine in this process",
        completes="hosts",
    )
    data_root: str = value(
        "--data-root",
        environment=("MOBY_DATA_ROOT",),
        metavar="path",
        help="Where images, containers and volumes are kept  [default: /var/lib/moby]",
        completes="folders",
    )
    exec_root: str = value(
        "--exec-root",
        environment=("MOBY_EXEC_ROOT",),
        metavar="path",
        help="Where the state of running containers is kept  [default: /run/moby]",
        completes="folders",
    )
    hooks_dir: list[str] = many(
        "--hooks-dir",
        metavar="path",
        help="Folder of OCI hook files for the containers that this engine starts",
        completes="folders",
    )
    signature_policy: str = value(
        "--signature-policy",
        environment=("MOBY_SIGNATURE_POLICY",),
        metavar="path",
        help="File that says which images may be pulled  [default: /etc/moby/policy.json]",
    )
    debug: bool = switch("-D", "--debug", help="Show where an error comes from")
    config: str = value(
        "--config",
        environment=("DOCKER_CONFIG",),
        metavar="string",
        help="Folder of the logins  [default: ~/.docker]",
        completes="folders",
    )
    context: str = value(
        "-c",
        "--context",
        help="Context of the engine to talk to (see moby context); overrides DOCKER_HOST and the one in use",
        completes="contexts or default",
    )
    log_level: str = value(
        "-l",
        "--log-level",
        default="info",
        help="Accepted as docker's: debug, info, warn, error or fatal",
        completes="debug|info|warn|error|fatal",
    )


def noun(name: str) -> Noun:
    """The noun of this name, one of ``NOUNS``. Imports its declaration."""
    module = f"moby_tui.cli.table.{NOUNS[name]}"
    # not `import_module`: importlib would have to be imported
    __import__(module)
    table: Noun = getattr(sys.modules[module], name.upper() or "ROOT")
    return table


def find(words: Sequence[str]) -> tuple[Command, Sequence[str]] | None:
    """The command that the words begin with, and the words after its name; None if they begin with none."""
    if not words:
        return None
    name = words[0]
    if name and name in NOUNS:
        command = noun(name).find(words[1]) if len(words) > 1 else None
        return (command, words[2:]) if command else None
    for command in without_noun():
        if command.root == name:
            return command, words[1:]
    return None


def without_noun() -> Iterator[Command]:
    """The commands that are called without their noun. Their declarations are imported one after the other."""
    seen = set()
    for name in NOUNS:
        for command in noun(name).commands:
            # `build` belongs to two nouns
            if command.root and command.root not in seen:
                seen.add(command.root)
                yield command


_OPTIONS = GlobalOptions.declared
_WITH_VALUE = frozenset(name for option in _OPTIONS.values() if not option.is_flag for name in option.names)
_HOST = (*_OPTIONS["host"].names, *_OPTIONS["context"].names)
#: The variables that name another engine.
_NAMES_HOST = (*_OPTIONS["host"].environment, "DOCKER_CONTEXT")


def split(argv: Sequence[str]) -> tuple[str, bool]:
    """The name of the command (of the sub-command within a group; empty: none) and whether a host is named."""
    named_host = False
    words = iter(argv)
    for word in words:
        if word.startswith("-") and word != "-":
            option = word.partition("=")[0] if word.startswith("--") else word[:2]
            named_host = named_host or option in _HOST
            if word in _WITH_VALUE:
                next(words, None)
        elif word not in NOUNS:
            return word, named_host
    return "", named_host


def starts_many(argv: Sequence[str]) -> bool:
    """True if the command runs on and may start several containers."""
    return split(argv)[0] in LASTING


def starts_containers_here(argv: Sequence[str], environment: Mapping[str, str]) -> bool:
    """True if this process will start containers, and so needs a launcher."""
    command, named_host = split(argv)
    if command == "daemon":
        return True
    if command == "tui" and "--web" in argv and WEB_SESSION not in environment:
        return False
    return command in STARTERS | LASTING and not named_host and not any(map(environment.get, _NAMES_HOST))
