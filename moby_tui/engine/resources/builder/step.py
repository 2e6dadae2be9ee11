"""What the builder needs of the containers service, as a protocol: run a command in an image, and look up a user in its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from moby_tui.engine.resources.images.manager import LocalImage
from moby_tui.errors import CommandFailed
from moby_tui.schema.build import StepProcess
from moby_tui.schema.container import HostConfig
from moby_tui.schema.operations import Process


@dataclass(frozen=True)
class Step:
    """A command to run; user and working directory are those of ``image``. ``environment`` is added to the image's."""

    image: LocalImage
    command: list[str]
    environment: list[str]
    #: the mounts of this step, by destination; the caller closes the descriptors
    trees: Mapping[str, int] = field(default_factory=dict)
    #: ``default`` (that of ``host``), ``none`` or ``host``
    network: str = "default"
    #: with the rights of a privileged container
    insecure: bool = False
    #: empty: one of its own
    hostname: str = ""
    #: options of the build, the same for each of its steps
    host: HostConfig = field(default_factory=HostConfig)


@dataclass
class Ended:
    """A finished step. ``upper`` has its changes, in overlayfs' form; ``mount_points`` in it were made by the engine."""

    exit_code: int
    upper: Path
    mount_points: frozenset[bytes]
    #: set by whoever wants the container to stay; the engine has the image of the step by then
    is_kept: bool = False


class OpenedStep(Protocol):
    """A step's container whose command is the ``first`` process."""

    @property
    def first(self) -> StepProcess: ...

    async def execute(self, process: Process) -> StepProcess:
        """Runs a process beside the first one. Raises ``Conflict`` once that has ended."""
        ...


class StepRunner(Protocol):
    def run(
        self, step: Step, *, began: Callable[[str], None], output: Callable[[int, bytes], None]
    ) -> AbstractAsyncContextManager[Ended]:
        """Runs a step to its end; the container is removed after the block, unless ``Ended.is_kept`` is set in it.

        ``began`` gets the container's id, ``output`` its output.
        """
        ...

    def opened(self, step: Step, *, tty: bool) -> AbstractAsyncContextManager[OpenedStep]:
        """Starts a step whose streams are the caller's; the container is removed after the block."""
        ...

    async def hold(self, step: Step, ended: Ended, began: Callable[[str], None]) -> None:
        """Runs a container on the files that a failed step has left, with its mounts and environment, until the caller ends it."""
        ...

    def owner(self, root: int, text: str) -> tuple[int, int]:
        """The ids that ``user[:group]`` means in a root file system. Raises ``InvalidArgument``."""
        ...


class StepFailed(CommandFailed):
    """A RUN command has failed. Its exit code becomes that of the build."""

    def __init__(self, command: list[str], exit_code: int) -> None:
        super().__init__(f"The command '{' '.join(command)}' returned a non-zero code: {exit_code}")
        self.buildkit = f'process "{" ".join(command)}" did not complete successfully: exit code: {exit_code}'
        self.exit_code = exit_code
