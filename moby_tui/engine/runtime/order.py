"""The order an engine gives a launcher: everything a monitor needs to know, in plain values (this runs in every monitor: light imports)."""

from __future__ import annotations

import json

Attributes = dict[str, str]


class Order:
    """Start one container. Paths are absolute; descriptors travel beside the order, in the order of ``DESCRIPTORS``."""

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
        teardown: list[dict[str, object]],
        exit_events: list[list[object]],
        has_network: bool,
        kept_descriptors: int,
        restart: dict[str, object] | None = None,
        health: dict[str, object] | None = None,
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
        #: the values of a ``logs.settings.LogSettings``
        self.log = log
        self.tty = tty
        self.open_stdin = open_stdin
        self.stdin_once = stdin_once
        #: rows and columns; zeros where nobody has said
        self.console_size = console_size
        #: path of the compiled seccomp filter, empty for none
        self.seccomp = seccomp
        self.auto_remove = auto_remove
        #: how to undo the network, for ``kernel.netlink.run_teardown``
        self.teardown = teardown
        #: type, action, id and attributes of what to publish after the container's end
        self.exit_events = exit_events
        #: whether a network namespace comes with the descriptors
        self.has_network = has_network
        #: how many descriptors are only to be kept open while the container runs
        self.kept_descriptors = kept_descriptors
        #: for ``runtime.restart.Restarts``; none where it is never started again
        self.restart = restart
        #: for ``runtime.health.HealthCheck``
        self.health = health

    def encode(self) -> str:
        return json.dumps({name: value for name, value in self.__dict__.items() if value is not None})

    @classmethod
    def decode(cls, text: str) -> Order:
        return cls(**json.loads(text))
