"""The order an engine gives a launcher: everything a monitor needs to know, in plain values (this runs in every monitor: light imports)."""

from __future__ import annotations

Attributes = dict[str, str]


class Order:
    """Start one container. Paths are absolute. Descriptors travel beside it: the root mount, the container's lock, what ``sort`` sorts."""

    def __init__(
        self,
        *,
        id: str,
        attributes: Attributes,
        bundle: str,
        data: str,
        run: str,
        state: str,
        socket: str,
        monitor_lock: str,
        attachments: str,
        execs: str,
        journal: str,
        cgroup: str,
        boot: str,
        log_path: str,
        log: list[object],
        tty: bool,
        open_stdin: bool,
        stdin_once: bool,
        console_size: list[int],
        seccomp: str,
        auto_remove: bool,
        holdings: list[dict[str, object]],
        exit_events: list[list[object]],
        joined: list[str],
        trees: list[str],
        root: dict[str, object] | None = None,
        restart: dict[str, object] | None = None,
        health: dict[str, object] | None = None,
        runtime: str | None = None,
        volumes: Attributes | None = None,
        names: dict[str, object] | None = None,
    ) -> None:
        self.id = id
        #: base of every event: image, name and the container's labels
        self.attributes = attributes
        self.bundle = bundle
        self.data = data
        self.run = run
        self.state = state
        self.socket = socket
        self.monitor_lock = monitor_lock
        self.attachments = attachments
        self.execs = execs
        self.journal = journal
        self.cgroup = cgroup
        self.boot = boot
        self.log_path = log_path
        #: the values of a ``runtime.monitor.logs.settings.LogSettings``
        self.log = log
        self.tty = tty
        self.open_stdin = open_stdin
        self.stdin_once = stdin_once
        #: rows and columns; zeros where nobody has said
        self.console_size = console_size
        #: path of the compiled seccomp filter, empty for none
        self.seccomp = seccomp
        self.auto_remove = auto_remove
        #: what was made of its network, for ``runtime.monitor.holdings.Holdings``; their descriptors are the first of those to be kept open
        self.holdings = holdings
        #: type, action, id and attributes of what to publish after the container's end
        self.exit_events = exit_events
        #: how to mount the root anew, for ``runtime.monitor.restart.mount_root``
        self.root = root
        #: for ``runtime.monitor.restart_policy.Restarts``; none where it is never started again
        self.restart = restart
        #: for ``runtime.monitor.health.HealthCheck``
        self.health = health
        #: the program of the OCI runtime that makes it; none where that is this engine
        self.runtime = runtime
        #: where volumes are mounted that are unmounted when their last container has ended, and the locks that tell
        self.volumes = volumes or {}
        #: for ``runtime.monitor.name_service.NameService``, whose two descriptors follow the holdings'
        self.names = names
        #: the kinds of namespaces that are joined rather than made; a descriptor for each comes first
        self.joined = joined
        #: the destinations whose mounts were made ahead; then a descriptor for each; the rest are only to be kept open
        self.trees = trees

    @classmethod
    def sample(cls) -> Order:
        """One like most, of a container that is not there: for rehearsals."""
        return cls(
            id="0" * 64,
            attributes={"image": "sample", "name": "sample"},
            bundle="",
            data="",
            run="",
            state="",
            socket="",
            monitor_lock="",
            attachments="",
            execs="",
            journal="",
            cgroup="",
            boot="",
            log_path="",
            log=["none"],
            tty=False,
            open_stdin=False,
            stdin_once=False,
            console_size=[0, 0],
            seccomp="",
            auto_remove=False,
            holdings=[],
            exit_events=[],
            joined=[],
            trees=[],
        )

    def sort(self, descriptors: list[int]) -> tuple[dict[str, int], dict[str, int], list[int]]:
        """The namespaces by kind, the trees by destination, and what is only to be kept open while the container runs."""
        trees = len(self.joined)
        kept = trees + len(self.trees)
        return (
            dict(zip(self.joined, descriptors, strict=False)),
            dict(zip(self.trees, descriptors[trees:], strict=False)),
            descriptors[kept:],
        )

    def values(self) -> dict[str, object]:
        """What it is made of again, without what is not there."""
        return {name: value for name, value in self.__dict__.items() if value is not None}
