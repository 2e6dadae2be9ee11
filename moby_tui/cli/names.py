"""The names of all commands and the modules that hold them."""

from __future__ import annotations

#: For each name its module in ``moby_tui.cli.commands`` and the name it has there.
CONTAINER = {
    "attach": "containers.attach",
    "commit": "containers.commit",
    "cp": "containers.copy",
    "create": "containers.create",
    "diff": "containers.details",
    "exec": "containers.execute",
    "export": "containers.copy",
    "inspect": "inspect:container",
    "kill": "containers.lifecycle",
    "logs": "containers.logs",
    "ls": "containers.ps:ps",
    "pause": "containers.lifecycle",
    "port": "containers.details",
    "prune": "prune:container",
    "rename": "containers.lifecycle",
    "restart": "containers.lifecycle",
    "rm": "containers.lifecycle",
    "run": "containers.run",
    "start": "containers.start",
    "stats": "containers.stats",
    "stop": "containers.lifecycle",
    "top": "containers.details",
    "unpause": "containers.lifecycle",
    "update": "containers.update",
    "wait": "containers.lifecycle",
}
IMAGE = {
    "attestations": "images.provenance",
    "build": "builds.build",
    "explore": "images.explore",
    "history": "images.images",
    "import": "images.archives",
    "inspect": "inspect:image",
    "load": "images.archives",
    "ls": "images.images:images",
    "prune": "prune:image",
    "pull": "images.pull",
    "push": "images.push",
    "rm": "images.images:rmi",
    "save": "images.archives",
    "tag": "images.images",
    "verify": "images.provenance",
}
NETWORK = {
    "connect": "networks",
    "create": "networks",
    "disconnect": "networks",
    "doctor": "traffic",
    "exposure": "traffic",
    "inspect": "inspect:network",
    "ls": "networks",
    "prune": "prune:network",
    "rm": "networks",
    "shape": "traffic",
}
VOLUME = {
    **dict.fromkeys(("clone", "cp", "create", "export", "import", "ls", "rename", "rm"), "volumes"),
    "inspect": "inspect:volume",
    "prune": "prune:volume",
}
SECRET = {**dict.fromkeys(("create", "ls", "rm"), "secrets"), "inspect": "inspect:secret"}
CONTEXT = dict.fromkeys(("create", "export", "import", "inspect", "ls", "rm", "show", "update", "use"), "contexts")
SYSTEM = {
    "df": "system.disk",
    "dial-stdio": "system.dial_stdio",
    "doctor": "system.doctor",
    "events": "system.events",
    "info": "system.info",
    "prune": "prune:system",
    "recover": "system.recover",
}

ALIASES = {"list": "ls", "remove": "rm"}
GROUPS: dict[str, tuple[str, dict[str, str]]] = {
    "container": ("Manage containers", CONTAINER),
    "image": ("Manage images", IMAGE),
    "network": ("Manage networks", NETWORK),
    "volume": ("Manage volumes", VOLUME),
    "secret": ("Manage secrets", SECRET),
    "context": ("Manage contexts: names for engines", CONTEXT),
    "system": ("Manage the engine", SYSTEM),
    "registry": (
        "Look at registries",
        {name: "registries.registry" for name in ("inspect", "ls", "referrers", "rm", "tags")},
    ),
    "manifest": (
        "Manage image manifests and manifest lists",
        dict.fromkeys(("annotate", "create", "inspect", "push", "rm"), "registries.manifests"),
    ),
    "builder": ("Manage builds", {"build": "builds.build", "du": "builds.build_cache", "prune": "prune:builder"}),
}
LEAVES = {
    **{name: where for name, where in CONTAINER.items() if name not in ("ls", "inspect", "prune")},
    **{name: IMAGE[name] for name in ("build", "history", "import", "load", "pull", "push", "save", "tag")},
    "ps": "containers.ps",
    "images": "images.images",
    "rmi": "images.images",
    "events": "system.events",
    "search": "registries.registry",
    "login": "registries.login",
    "logout": "registries.login",
    "info": "system.info",
    "inspect": "inspect",
    "version": "system.version",
    "daemon": "system.daemon",
    "tui": "system.tui",
    "completion": "system.completion",
}
#: Commands of Docker that this engine does not have yet, by group.
MISSING: dict[str, frozenset[str]] = {
    "": frozenset(
        {
            *("bake", "buildx", "checkpoint", "compose", "config", "node", "plugin"),
            *("service", "stack", "swarm", "trust"),
        }
    ),
    "volume": frozenset({"update"}),
}
