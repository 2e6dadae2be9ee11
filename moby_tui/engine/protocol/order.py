"""The order that an engine gives its launcher: all that a container's monitor needs to know."""

from __future__ import annotations

from moby_tui.engine.protocol.control import check_process
from moby_tui.engine.protocol.log import LogSettings
from moby_tui.engine.protocol.message import MalformedMessage, Message
from moby_tui.engine.protocol.network import Holding, NameService, TeardownStep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.protocol.configuration import Process

_CONFIGURATION = "moby_tui.engine.protocol.configuration"

#: The longest order that is sent as it is, in bytes; of a longer one only the file that it is in.
MAX_ORDER = 65536
#: Of one message on a socket; the kernel takes 253 (unix(7), SCM_MAX_FD).
MAX_DESCRIPTORS = 250
#: Names of the descriptors that are handed over once an order was taken: the root mount, and the container's lock.
ROOT, LOCK = "root", "lock"
#: A file in memory with what the monitor and the first process need of ``config.json``.
CONFIGURATION = "configuration"
#: With what follows them: the kind of a namespace that is joined, and the destination of a mount that was made ahead.
NAMESPACE, TREE = "namespace:", "tree:"
#: With the path of a secret in the container: a file in memory that holds it and has its owner and mode.
SECRET = "secret:"
#: Where secrets are, as in Docker's services; those elsewhere are mounts of their own.
SECRETS_FOLDER = "/run/secrets"
#: With the name of a holding: the record and the sockets of a part of the network.
HOLDING = "holding:"
#: The two sockets on which names are asked for; and what is only to be held open until the container has ended.
NAMES, KEEP = "names", "keep"


def secret_mount(path: str) -> str:
    """The destination of the mount in which the secret at ``path`` in the container lies."""
    return SECRETS_FOLDER if path.startswith(f"{SECRETS_FOLDER}/") else path


class Paths(Message):
    """Where the container's files are. All paths are absolute; ``seccomp`` is the compiled filter, empty for none."""

    bundle: str
    data: str
    run: str
    state: str
    socket: str
    monitor_lock: str
    attachments: str
    execs: str
    journal: str
    log: str
    seccomp: str = ""


class Streams(Message):
    """The standard streams of the first process; ``console_size`` is rows and columns, zeros if nobody has said."""

    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    console_size: list[int] = [0, 0]

    def check(self, where: str) -> None:
        if len(self.console_size) != 2 or any(not 0 <= cells < 1 << 16 for cells in self.console_size):
            raise MalformedMessage(f"{where}: console_size: expected rows and columns")


class RootMount(Message):
    """How the root is mounted anew for a restart: ``layers`` top-most first, and the writable layer with its work folder."""

    layers: list[str]
    upper: str
    work: str


class RestartPolicy(Message):
    """Whether the container is started again by its monitor: ``count`` restarts are done already."""

    policy: str = "no"
    maximum: int = 0
    count: int = 0


class HealthSettings(Message):
    """The container's health check. ``process`` is that of the OCI configuration, ``path`` the file of the results; ``stop_timeout`` is in
    seconds, negative to wait for ever; the others are in nanoseconds."""

    ELSEWHERE = {"Process": _CONFIGURATION}

    process: Process
    path: str
    retries: int
    on_failure: str
    stop_signal: int
    stop_timeout: int
    interval: int
    timeout: int
    start_period: int
    start_interval: int

    def check(self, where: str) -> None:
        check_process(self.process, f"{where}: process")


class ExitEvent(Message):
    """An event that is published once nothing of the container's run is left."""

    type: str
    action: str
    id: str
    attributes: dict[str, str] = {}


class Order(Message):
    """Start one container."""

    id: str
    #: base of every event: image, name and the container's labels
    attributes: dict[str, str]
    paths: Paths
    cgroup: str
    #: the id of this boot
    boot: str
    log: LogSettings
    streams: Streams
    auto_remove: bool = False
    #: what was made of its network, undone at its end
    holdings: list[Holding] = []
    exit_events: list[ExitEvent] = []
    #: how to mount the root anew
    root: RootMount | None = None
    #: None if it is never started again
    restart: RestartPolicy | None = None
    health: HealthSettings | None = None
    #: the program of the OCI runtime that makes the container; None if that is this engine
    runtime: str | None = None
    #: where volumes are mounted that are unmounted when their last container has ended, and the locks that tell
    volumes: dict[str, str] = {}
    #: the records of volumes that plug-ins have mounted for it, and unmount when it has ended
    plugin_mounts: list[str] = []
    #: None if it is in no network that has names
    names: NameService | None = None
    #: what the descriptors are that are handed over once the order was taken, in their order
    descriptors: list[str] = []

    @classmethod
    def sample(cls) -> Order:
        """One like most, of a container that is not there: for rehearsals."""
        return cls(
            id="0" * 64,
            attributes={"image": "sample", "name": "sample"},
            paths=Paths(**dict.fromkeys((field.name for field in Paths.FIELDS), "")),
            cgroup="",
            boot="",
            log=LogSettings(driver="none"),
            streams=Streams(),
            holdings=[Holding(name="sample", teardown=[TeardownStep(unlink="/sample")])],
            exit_events=[ExitEvent(type="network", action="disconnect", id="sample")],
            root=RootMount(layers=[], upper="", work=""),
            descriptors=[ROOT, LOCK, CONFIGURATION],
        )


class IdMapping(Message):
    """One range of ids of a user namespace (user_namespaces(7))."""

    KEYS = {"inside": "containerID", "outside": "hostID"}

    inside: int
    outside: int
    size: int


class UserNamespaceRequest(Message):
    """Make a user namespace with these maps and a network namespace in it; where a descriptor travels along, join that one instead."""

    uids: list[IdMapping] = []
    gids: list[IdMapping] = []


class LauncherRequest(Message):
    """What a launcher is asked: an ``order``, the ``file`` that holds one too long to send, or a user namespace."""

    order: Order | None = None
    file: str | None = None
    userns: UserNamespaceRequest | None = None

    def check(self, where: str) -> None:
        if [self.order, self.file, self.userns].count(None) != 2:
            raise MalformedMessage(f"{where}: expected one of order, file and userns")


class Taken(Message):
    """From the stand-by process to the engine: it has taken the order, and the descriptors may follow."""

    pid: int

    def check(self, where: str) -> None:
        if self.pid <= 0:
            raise MalformedMessage(f"{where}: expected a pid, got {self.pid}")


class Handover(Message):
    """From the engine to the stand-by process, beside descriptors: whether others follow."""

    more: bool = False
