"""Execs: programs in running containers, as the Engine API has them (docs: Engine API v1.52, tag Exec)."""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every command that reads such a record
from msgspec import field

from moby_tui.schema.base import Wire


class ExecCreate(Wire, kw_only=True):
    """Body of ``POST /containers/{id}/exec``."""

    attach_stdin: bool = False
    attach_stdout: bool = True
    attach_stderr: bool = True
    tty: bool = False
    console_size: list[int] | None = None
    detach_keys: str = ""
    env: list[str] | None = None
    cmd: list[str] | None = None
    privileged: bool = False
    user: str = ""
    working_dir: str = ""


class ExecCreated(Wire, kw_only=True):
    id: str


class ExecStart(Wire, kw_only=True):
    detach: bool = False
    tty: bool = False
    console_size: list[int] | None = None


class ExecProcess(Wire, kw_only=True):
    tty: bool = field(default=False, name="tty")
    entrypoint: str = field(default="", name="entrypoint")
    arguments: list[str] = field(default_factory=list, name="arguments")
    privileged: bool = field(default=False, name="privileged")
    user: str = field(default="", name="user")


class ExecInspect(Wire, kw_only=True):
    """``exit_code`` is null until the process has ended."""

    id: str = field(name="ID")
    running: bool = False
    exit_code: int | None = None
    process_config: ExecProcess = field(default_factory=ExecProcess)
    open_stdin: bool = False
    open_stderr: bool = False
    open_stdout: bool = False
    can_remove: bool = False
    container_id: str = field(default="", name="ContainerID")
    detach_keys: str = ""
    pid: int = 0
