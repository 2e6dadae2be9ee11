"""What belongs in each place of a command line: the objects, words or files that an argument or the value of an option names.

A ``Kind`` is what to ask ``objects`` for and its parameters: ``("containers", "running")`` are containers in this state.
"""

from __future__ import annotations

Kind = tuple[str, ...]

NOTHING: Kind = ("nothing",)
FILES: Kind = ("files",)
FOLDERS: Kind = ("folders",)
CONTAINERS: Kind = ("containers",)
#: Those that have processes, with the paused ones.
LIVE: Kind = ("containers", "running", "paused", "restarting")
RUNNING: Kind = ("containers", "running")
IMAGES: Kind = ("images",)
NETWORKS: Kind = ("networks",)
OWN_NETWORKS: Kind = ("networks", "custom")
VOLUMES: Kind = ("volumes",)
SECRETS: Kind = ("secrets",)
CONTEXTS: Kind = ("contexts",)


def _words(text: str) -> Kind:
    return ("words", *text.split())


#: In an argument's place: the argument may come again and again.
MORE: Kind = ("more",)

#: For each command, as ``names`` has it (``module:name``), its arguments in order; after the last of them nothing is offered.
ARGUMENTS: dict[str, tuple[Kind, ...]] = {
    "containers.attach:attach": (RUNNING,),
    "containers.commit:commit": (CONTAINERS, IMAGES),
    "containers.copy:cp": (("paths", "containers"), ("paths", "containers")),
    "containers.copy:export": (CONTAINERS,),
    "containers.create:create": (IMAGES, FILES, MORE),
    "containers.details:diff": (CONTAINERS,),
    "containers.details:port": (LIVE,),
    "containers.details:top": (LIVE,),
    "containers.execute:exec": (RUNNING, FILES, MORE),
    "containers.lifecycle:kill": (LIVE, MORE),
    "containers.lifecycle:pause": (RUNNING, MORE),
    "containers.lifecycle:rename": (CONTAINERS,),
    "containers.lifecycle:restart": (CONTAINERS, MORE),
    "containers.lifecycle:rm": (("containers", "created", "exited", "dead"), MORE),
    "containers.lifecycle:stop": (LIVE, MORE),
    "containers.lifecycle:unpause": (("containers", "paused"), MORE),
    "containers.lifecycle:wait": (LIVE, MORE),
    "containers.logs:logs": (CONTAINERS,),
    "containers.run:run": (IMAGES, FILES, MORE),
    "containers.start:start": (("containers", "created", "exited"), MORE),
    "containers.stats:stats": (LIVE, MORE),
    "containers.update:update": (CONTAINERS, MORE),
    "inspect:inspect": (("objects",), MORE),
    "inspect:container": (CONTAINERS, MORE),
    "inspect:image": (IMAGES, MORE),
    "inspect:network": (NETWORKS, MORE),
    "inspect:secret": (SECRETS, MORE),
    "inspect:volume": (VOLUMES, MORE),
    "builds.build:build": (FOLDERS,),
    "images.archives:import": (FILES, IMAGES),
    "images.archives:save": (IMAGES, MORE),
    "images.explore:explore": (IMAGES,),
    "images.images:history": (IMAGES,),
    "images.images:images": (IMAGES,),
    "images.images:rmi": (IMAGES, MORE),
    "images.images:tag": (IMAGES, IMAGES),
    "images.provenance:attestations": (IMAGES,),
    "images.provenance:verify": (IMAGES,),
    "images.pull:pull": (IMAGES,),
    "images.push:push": (IMAGES,),
    "networks:connect": (NETWORKS, CONTAINERS),
    "networks:disconnect": (NETWORKS, CONTAINERS),
    "networks:rm": (OWN_NETWORKS, MORE),
    "traffic:shape": (LIVE,),
    "volumes:clone": (VOLUMES,),
    "volumes:cp": (("paths", "volumes"), ("paths", "volumes")),
    "volumes:export": (VOLUMES,),
    "volumes:import": (VOLUMES, FILES),
    "volumes:rename": (VOLUMES,),
    "volumes:rm": (VOLUMES, MORE),
    "secrets:create": (NOTHING, FILES),
    "secrets:rm": (SECRETS, MORE),
    "contexts:export": (CONTEXTS, FILES),
    "contexts:import": (NOTHING, FILES),
    "contexts:inspect": (CONTEXTS, MORE),
    "contexts:rm": (CONTEXTS, MORE),
    "contexts:update": (CONTEXTS,),
    "contexts:use": (("contexts", "default"),),
    "system.completion:completion": (_words("bash zsh fish"),),
}
#: The arguments of a command for which an option is given: command, first long name of the option, its value.
CHANGED: dict[tuple[str, str, str], tuple[Kind, ...]] = {
    ("containers.lifecycle:rm", "--force", ""): (CONTAINERS, MORE),
    ("inspect:inspect", "--type", "container"): (CONTAINERS, MORE),
    ("inspect:inspect", "--type", "image"): (IMAGES, MORE),
    ("inspect:inspect", "--type", "network"): (NETWORKS, MORE),
    ("inspect:inspect", "--type", "secret"): (SECRETS, MORE),
    ("inspect:inspect", "--type", "volume"): (VOLUMES, MORE),
}

_CAPABILITIES = _words(
    "ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID "
    "IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW "
    "PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO "
    "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM"
)
_SIGNALS = _words(
    "ABRT ALRM BUS CHLD CONT FPE HUP ILL INT IO KILL PIPE PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 "
    "VTALRM WINCH XCPU XFSZ"
)
_LEVELS = _words("debug info warn error fatal")
_PLATFORMS = _words(
    "linux/386 linux/amd64 linux/arm linux/arm/v6 linux/arm/v7 linux/arm64 linux/ppc64le linux/riscv64 linux/s390x"
)
_FORMATS = _words("json")

#: The values of options, by the option's first long name.
VALUES: dict[str, Kind] = {
    "--attach": _words("stdin stdout stderr"),
    "--cap-add": _CAPABILITIES,
    "--cap-drop": _CAPABILITIES,
    "--cgroupns": _words("host private"),
    "--config": FOLDERS,
    "--context": ("contexts", "default"),
    "--data-root": FOLDERS,
    "--env": ("environment",),
    "--exec-root": FOLDERS,
    "--file": FILES,
    "--format": _FORMATS,
    "--from": ("contexts", "default"),
    "--health-on-failure": _words("none kill restart stop"),
    "--hooks-dir": FOLDERS,
    "--host": ("beginnings", "unix://", "tcp://", "ssh://"),
    "--input": FILES,
    "--ipc": ("joined", "host", "none", "private", "shareable"),
    "--link": RUNNING,
    "--log-level": _LEVELS,
    "--network": NETWORKS,
    "--output": FILES,
    "--pid": ("joined", "host"),
    "--platform": _PLATFORMS,
    "--pull": _words("always missing never"),
    "--restart": _words("no always on-failure unless-stopped"),
    "--secret": SECRETS,
    "--signal": _SIGNALS,
    "--stop-signal": _SIGNALS,
    "--userns": _words("host"),
    "--uts": _words("host"),
    "--volume": ("paths", "volumes"),
    "--volumes-from": CONTAINERS,
}
#: The values of options that mean something else in one command.
VALUES_OF: dict[tuple[str, str], Kind] = {
    ("builds.build:build", "--network"): _words("default host none"),
    ("builds.build:build", "--progress"): _words("auto plain rawjson tty"),
    ("builds.build:build", "--secret"): NOTHING,
    ("inspect:inspect", "--type"): _words("container image network secret volume"),
    ("networks:create", "--driver"): _words("bridge ipvlan macvlan"),
}
