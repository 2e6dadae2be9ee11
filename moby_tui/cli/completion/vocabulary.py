"""What the names in ``completes`` of a declaration stand for: the objects, words or files that an argument or a value names.

A ``Kind`` is what to ask ``objects`` for and its parameters: ``("containers", "running")`` are containers in this state.
"""

from __future__ import annotations

Kind = tuple[str, ...]

NOTHING: Kind = ("nothing",)
FILES: Kind = ("files",)
FOLDERS: Kind = ("folders",)


def _words(text: str) -> Kind:
    return ("words", *text.split())


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
_PLATFORMS = _words(
    "linux/386 linux/amd64 linux/arm linux/arm/v6 linux/arm/v7 linux/arm64 linux/ppc64le linux/riscv64 linux/s390x"
)

KINDS: dict[str, Kind] = {
    "": NOTHING,
    "capabilities": _CAPABILITIES,
    "containers": ("containers",),
    "contexts": ("contexts",),
    "contexts or default": ("contexts", "default"),
    "ended containers": ("containers", "created", "exited", "dead"),
    "files": FILES,
    "folders": FOLDERS,
    "hosts": ("beginnings", "unix://", "tcp://", "ssh://"),
    "images": ("images",),
    "ipc namespaces": ("joined", "host", "none", "private", "shareable"),
    # those that have processes, with the paused ones
    "live containers": ("containers", "running", "paused", "restarting"),
    "networks": ("networks",),
    "objects": ("objects",),
    "own networks": ("networks", "custom"),
    "paths in containers": ("paths", "containers"),
    "paths in volumes": ("paths", "volumes"),
    "paused containers": ("containers", "paused"),
    "pid namespaces": ("joined", "host"),
    "platforms": _PLATFORMS,
    "running containers": ("containers", "running"),
    "secrets": ("secrets",),
    "signals": _SIGNALS,
    "stopped containers": ("containers", "created", "exited"),
    "variables": ("environment",),
    "volumes": ("volumes",),
}
#: One word, which is no name of a kind.
_SINGLE = frozenset({"json", "host"})


def kind_of(completes: str) -> Kind:
    """The kind of this name, or the words between the |. Raises ``KeyError`` for a name that is none."""
    if "|" in completes or completes in _SINGLE:
        return ("words", *completes.split("|"))
    return KINDS[completes]
