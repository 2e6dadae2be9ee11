"""The order that an engine gives its launcher: all that a container's monitor needs to know."""

from __future__ import annotations

from moby_tui.engine.protocol.message import Json, MalformedMessage, Message
from moby_tui.engine.protocol.network import TeardownStep

#: Names of descriptors that travel beside an order. The first is where the monitor answers; ``KEEP`` are only to be held open.
REPLY, ROOT, LOCK, NAMESPACE, TREE, KEEP = "reply", "root", "lock", "namespace:", "tree:", "keep:"


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


class Log(Message):
    """One container's log. ``max_size`` is in bytes, 0 without bound; ``max_files`` counts the file that is being written too."""

    driver: str
    max_size: int = 10 * 1024 * 1024
    max_files: int = 3
    compress: bool = False
    #: JSON object of labels and environment that stands in each entry; empty for none
    attributes: str = ""
    #: bytes that may wait for a slow driver before output is dropped; 0: the container waits instead
    buffer: int = 0
    #: of ``syslog`` and ``journald``: what to send where, pairs that the driver's module reads
    remote: list[list[str]] = []
    #: whether a log that is sent away is kept here too, to be read back, in the form of ``local``
    cached: bool = False


class Streams(Message):
    """The standard streams of the first process; ``console_size`` is rows and columns, zeros where nobody has said."""

    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    console_size: list[int] = [0, 0]

    def check(self, where: str) -> None:
        if len(self.console_size) != 2:
            raise MalformedMessage(f"{where}: console_size: expected rows and columns")


class RestartPolicy(Message):
    """Whether the container is started again by its monitor: ``count`` restarts are done already, ``root`` is its mount's recipe."""

    policy: str = "no"
    maximum: int = 0
    count: int = 0
    root: object = None


class HealthCheck(Message):
    """The container's health check. ``process`` is that of the OCI configuration, ``path`` the file of the results; ``stop_timeout`` is in
    seconds, negative to wait for ever; the others are in nanoseconds."""

    process: Json
    path: str
    retries: int
    on_failure: str
    stop_signal: int
    stop_timeout: int
    interval: int
    timeout: int
    start_period: int
    start_interval: int


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
    log: Log
    streams: Streams
    auto_remove: bool = False
    teardown: list[TeardownStep] = []
    exit_events: list[ExitEvent] = []
    restart: RestartPolicy | None = None
    health: HealthCheck | None = None
    #: the program of the OCI runtime that makes the container; None where that is this engine
    runtime: str | None = None
    #: where volumes are mounted that are unmounted when their last container has ended, and the locks that tell
    volumes: dict[str, str] = {}
    #: what the descriptors are that travel beside the order
    descriptors: list[str] = []

    @classmethod
    def sample(cls) -> Order:
        """One like most, of a container that is not there: for rehearsals."""
        nowhere = Paths(**dict.fromkeys((field.name for field in Paths.FIELDS), ""))
        attributes = {"image": "sample", "name": "sample"}
        return cls(
            id="0" * 64, attributes=attributes, paths=nowhere, cgroup="", boot="", log=Log(driver="none"), streams=Streams()
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
