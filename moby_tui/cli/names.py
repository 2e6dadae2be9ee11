"""The names of all commands and the modules that hold them."""

from __future__ import annotations

#: For each name its module in ``moby_tui.cli.commands`` and the name it has there.
CONTAINER = {
    "attach": "attach",
    "commit": "commit",
    "cp": "copy",
    "create": "create",
    "diff": "look",
    "exec": "execute",
    "export": "copy",
    "inspect": "inspect:container",
    "kill": "lifecycle",
    "logs": "logs",
    "ls": "containers:ps",
    "pause": "lifecycle",
    "port": "look",
    "prune": "prune:container",
    "rename": "lifecycle",
    "restart": "lifecycle",
    "rm": "lifecycle",
    "run": "run",
    "start": "start",
    "stats": "stats",
    "stop": "lifecycle",
    "top": "look",
    "unpause": "lifecycle",
    "update": "update",
    "wait": "lifecycle",
}
IMAGE = {
    "attestations": "provenance",
    "build": "build",
    "explore": "explore",
    "history": "images",
    "import": "archives",
    "inspect": "inspect:image",
    "load": "archives",
    "ls": "images:images",
    "prune": "prune:image",
    "pull": "pull",
    "push": "push",
    "rm": "images:rmi",
    "save": "archives",
    "tag": "images",
    "verify": "provenance",
}
NETWORK = {
    "connect": "networks",
    "create": "networks",
    "disconnect": "networks",
    "inspect": "inspect:network",
    "ls": "networks",
    "prune": "prune:network",
    "rm": "networks",
}
VOLUME = {"create": "volumes", "inspect": "inspect:volume", "ls": "volumes", "prune": "prune:volume", "rm": "volumes"}
SYSTEM = {"df": "disk", "events": "events", "info": "system", "prune": "prune:system", "recover": "recover"}

ALIASES = {"list": "ls", "remove": "rm"}
GROUPS: dict[str, tuple[str, dict[str, str]]] = {
    "container": ("Manage containers", CONTAINER),
    "image": ("Manage images", IMAGE),
    "network": ("Manage networks", NETWORK),
    "volume": ("Manage volumes", VOLUME),
    "system": ("Manage the engine", SYSTEM),
    "registry": (
        "Look at registries",
        {name: "registry" for name in ("inspect", "ls", "referrers", "rm", "tags")},
    ),
    "builder": ("Manage builds", {"build": "build", "du": "build_cache", "prune": "prune:builder"}),
}
LEAVES = {
    **{name: where for name, where in CONTAINER.items() if name not in ("ls", "inspect", "prune")},
    **{name: IMAGE[name] for name in ("build", "history", "import", "load", "pull", "push", "save", "tag")},
    "ps": "containers",
    "images": "images",
    "rmi": "images",
    "events": "events",
    "search": "registry",
    "login": "login",
    "logout": "login",
    "info": "system",
    "inspect": "inspect",
    "version": "version",
    "daemon": "daemon",
    "tui": "tui",
    "completion": "completion",
}
#: What Docker has and this engine does not have yet, by the group it is in.
MISSING: dict[str, frozenset[str]] = {
    "": frozenset(
        {
            *("bake", "buildx", "checkpoint", "compose", "config", "context", "manifest", "node", "plugin"),
            *("secret", "service", "stack", "swarm", "trust"),
        }
    ),
    "network": frozenset({"connect", "create", "disconnect", "prune", "rm"}),
    "system": frozenset({"dial-stdio"}),
    "volume": frozenset({"update"}),
}
