"""What docker's commands of a swarm, of managed plug-ins and of checkpoints answer on an engine that has none, under the name ``docker``.

Their options are not looked at: nothing that one of them says could change the answer.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from moby_tui.cli import session
from moby_tui.errors import MobyError, NotFound, NotInSwarm, NotSupported

_HELP = ("--help", "-h")


class _Verb(NamedTuple):
    usage: str
    help: str
    least: int = 0
    most: int | None = None


_NOUNS: dict[str, tuple[str, dict[str, _Verb]]] = {
    "config": (
        "Manage Swarm configs",
        {
            "create": _Verb("[OPTIONS] CONFIG file|-", "Create a config from a file or STDIN", 2, 2),
            "inspect": _Verb("[OPTIONS] CONFIG [CONFIG...]", "Display detailed information on one or more configs", 1),
            "ls": _Verb("[OPTIONS]", "List configs", 0, 0),
            "rm": _Verb("CONFIG [CONFIG...]", "Remove one or more configs", 1),
        },
    ),
    "node": (
        "Manage Swarm nodes",
        {
            "demote": _Verb("NODE [NODE...]", "Demote one or more nodes from manager in the swarm", 1),
            "inspect": _Verb("[OPTIONS] self|NODE [NODE...]", "Display detailed information on one or more nodes", 1),
            "ls": _Verb("[OPTIONS]", "List nodes in the swarm", 0, 0),
            "promote": _Verb("NODE [NODE...]", "Promote one or more nodes to manager in the swarm", 1),
            "ps": _Verb("[OPTIONS] [NODE...]", "List tasks running on one or more nodes, defaults to current node"),
            "rm": _Verb("[OPTIONS] NODE [NODE...]", "Remove one or more nodes from the swarm", 1),
            "update": _Verb("[OPTIONS] NODE", "Update a node", 1, 1),
        },
    ),
    "plugin": (
        "Manage plugins",
        {
            "create": _Verb(
                "[OPTIONS] PLUGIN PLUGIN-DATA-DIR",
                "Create a plugin from a rootfs and configuration. Plugin data directory must contain config.json and rootfs directory.",
                2,
            ),
            "disable": _Verb("[OPTIONS] PLUGIN", "Disable a plugin", 1, 1),
            "enable": _Verb("[OPTIONS] PLUGIN", "Enable a plugin", 1, 1),
            "inspect": _Verb("[OPTIONS] PLUGIN [PLUGIN...]", "Display detailed information on one or more plugins", 1),
            "install": _Verb("[OPTIONS] PLUGIN [KEY=VALUE...]", "Install a plugin", 1),
            "ls": _Verb("[OPTIONS]", "List plugins", 0, 0),
            "push": _Verb("[OPTIONS] PLUGIN[:TAG]", "Push a plugin to a registry", 1, 1),
            "rm": _Verb("[OPTIONS] PLUGIN [PLUGIN...]", "Remove one or more plugins", 1),
            "set": _Verb("PLUGIN KEY=VALUE [KEY=VALUE...]", "Change settings for a plugin", 2),
            "upgrade": _Verb("[OPTIONS] PLUGIN [REMOTE]", "Upgrade an existing plugin", 1, 2),
        },
    ),
    "service": (
        "Manage Swarm services",
        {
            "create": _Verb("[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a new service", 1),
            "inspect": _Verb("[OPTIONS] SERVICE [SERVICE...]", "Display detailed information on one or more services", 1),
            "logs": _Verb("[OPTIONS] SERVICE|TASK", "Fetch the logs of a service or task", 1, 1),
            "ls": _Verb("[OPTIONS]", "List services", 0, 0),
            "ps": _Verb("[OPTIONS] SERVICE [SERVICE...]", "List the tasks of one or more services", 1),
            "rm": _Verb("SERVICE [SERVICE...]", "Remove one or more services", 1),
            "rollback": _Verb("[OPTIONS] SERVICE", "Revert changes to a service's configuration", 1, 1),
            "scale": _Verb("SERVICE=REPLICAS [SERVICE=REPLICAS...]", "Scale one or multiple replicated services", 1),
            "update": _Verb("[OPTIONS] SERVICE", "Update a service", 1, 1),
        },
    ),
    "stack": (
        "Manage Swarm stacks",
        {
            "config": _Verb("[OPTIONS]", "Outputs the final config file, after doing merges and interpolations", 0, 0),
            "deploy": _Verb("[OPTIONS] STACK", "Deploy a new stack or update an existing stack", 1, 1),
            "ls": _Verb("[OPTIONS]", "List stacks", 0, 0),
            "ps": _Verb("[OPTIONS] STACK", "List the tasks in the stack", 1, 1),
            "rm": _Verb("[OPTIONS] STACK [STACK...]", "Remove one or more stacks", 1),
            "services": _Verb("[OPTIONS] STACK", "List the services in the stack", 1, 1),
        },
    ),
    "swarm": (
        "Manage Swarm",
        {
            "ca": _Verb("[OPTIONS]", "Display and rotate the root CA", 0, 0),
            "init": _Verb("[OPTIONS]", "Initialize a swarm", 0, 0),
            "join": _Verb("[OPTIONS] HOST:PORT", "Join a swarm as a node and/or manager", 1, 1),
            "join-token": _Verb("[OPTIONS] (worker|manager)", "Manage join tokens", 1, 1),
            "leave": _Verb("[OPTIONS]", "Leave the swarm", 0, 0),
            "unlock": _Verb("", "Unlock swarm", 0, 0),
            "unlock-key": _Verb("[OPTIONS]", "Manage the unlock key", 0, 0),
            "update": _Verb("[OPTIONS]", "Update the swarm", 0, 0),
        },
    ),
}
#: Of a swarm, those that its nodes alone have are left out of the list of commands.
_WITHOUT_SWARM = {"swarm": ("init", "join")}
_PLUGIN_COLUMNS = ("ID", "NAME", "DESCRIPTION", "ENABLED")
_EXPERIMENTAL = "is only supported on a Docker daemon with experimental features enabled"
NAMES = frozenset({"checkpoint", *_NOUNS})


def call(words: Sequence[str]) -> int:
    """Answers a command line that begins with one of ``NAMES``."""
    noun, *rest = words
    if noun == "checkpoint":
        return _checkpoint(rest)
    help, verbs = _NOUNS[noun]
    if not rest or rest[0].startswith("-"):
        shown = {name: verb for name, verb in verbs.items() if name in _WITHOUT_SWARM.get(noun, verbs)}
        print(_page(noun, help, shown), file=sys.stdout if rest else sys.stderr)
        return 0
    name, *arguments = rest
    path, verb = f"docker {noun} {name}", verbs.get(name)
    if verb is None:
        return _misused(f"docker: unknown command: {path}", f"docker {noun}", "")
    if any(word in _HELP for word in arguments):
        print(f"Usage:  {path} {verb.usage}".rstrip() + f"\n\n{verb.help}")
        return 0
    positional = [word for word in arguments if not word.startswith("-") or word == "-"]
    has_options = len(positional) < len(arguments)
    too_many = verb.most is not None and len(positional) > verb.most and not has_options
    if len(positional) < verb.least or too_many:
        return _misused(f"docker: '{path}' {_wanted(verb)}", path, verb.usage, see=verb.most is None)
    return _refuse(noun, name, positional)


def _page(noun: str, help: str, verbs: dict[str, _Verb]) -> str:
    lines = [f"  {name:<10}  {verb.help}" for name, verb in verbs.items()]
    end = f"Run 'docker {noun} COMMAND --help' for more information on a command."
    return "\n".join([f"Usage:  docker {noun} COMMAND", "", help, "", "Commands:", *lines, "", end])


def _wanted(verb: _Verb) -> str:
    if verb.most == 0:
        return "accepts no arguments"
    count = f"{verb.least} argument{'' if verb.least == 1 else 's'}"
    if verb.most is None:
        return f"requires at least {count}"
    return f"requires {count}" if verb.most == verb.least else f"requires at least {verb.least} and at most {verb.most} arguments"


def _misused(text: str, path: str, usage: str, *, see: bool = False) -> int:
    end = f"{'See' if see else 'Run'} '{path} --help' for more information"
    print(text, f"Usage:  {path} {usage}".rstrip(), end, sep="\n\n", file=sys.stderr)
    return 1


def _refuse(noun: str, verb: str, names: Sequence[str]) -> int:
    if noun == "plugin":
        return _plugin(verb, names)
    if verb == "inspect":
        print("[]")
    if (noun, verb) == ("swarm", "leave"):
        return _tell("Error response from daemon: This node is not part of a swarm")
    if (noun, verb) == ("swarm", "unlock"):
        return _tell("Error: This node is not part of a swarm")
    before = {"unlock-key": "could not fetch unlock key: ", "scale": f"{names[0].partition('=')[0]}: " if names else ""}
    return _tell(f"{before.get(verb, '')}Error response from daemon: {NotInSwarm().message}")


def _plugin(verb: str, names: Sequence[str]) -> int:
    if verb == "ls":
        from moby_tui.cli.output.table import align

        print(*align([_PLUGIN_COLUMNS]), sep="\n")
        return 0
    if verb in ("install", "create"):
        raise _answered(NotSupported("plugins are not supported on this platform"))
    if verb == "inspect":
        print("[]")
    every = names if verb in ("inspect", "rm") else names[:1]
    for name in every:
        session.tell(_answered(NotFound(f'plugin "{name}" not found')))
    return 1


def _answered(error: MobyError) -> MobyError:
    error.answered = True
    return error


def _checkpoint(words: Sequence[str]) -> int:
    path = " ".join(["docker", "checkpoint", *(word for word in words[:1] if not word.startswith("-"))])
    if any(word in _HELP for word in words):
        print(f"{path} {_EXPERIMENTAL}")
        return 0
    return _tell(f"{path} {_EXPERIMENTAL}")


def _tell(text: str) -> int:
    print(text, file=sys.stderr)
    return 1
