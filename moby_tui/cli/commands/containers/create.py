"""``moby create``, and what it shares with ``run``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument, MobyError, NotFound, refused_by_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.run import CreateOptions
    from moby_tui.schema.container import ContainerCreate


#: The exit code of ``run`` and ``create`` if the engine refuses, as opposed to a container that fails.
EXIT_REFUSED = 125


def create(options: CreateOptions, image: str, words: list[str]) -> None:
    """``moby create``."""
    from moby_tui.cli.configuration import create_request

    with refusals("create"):
        check(options, is_detached=False)
        session.require_no_trust(options)
        request = create_request(options, image, words, detached=False)
    # as with docker: 125 says that the options cannot be read, 1 that the engine refuses
    print(session.call(lambda client: create_container(client, options, request)))


@contextmanager
def refusals(command: str) -> Iterator[None]:
    """Gives errors the exit code 125; 126 and 127, which are the container's command's, stay. Docker names the command's help."""
    try:
        yield
    except MobyError as error:
        if session.program() == "docker" and _is_of_attachment(error):
            raise
        error.help_of = command
        if error.exit_code not in (126, 127):
            error.exit_code = _exit_code(error) if command == "run" else EXIT_REFUSED
        raise
    except (OSError, RuntimeError) as error:
        refusal = refused_by_system(error)
        if refusal is None or isinstance(error, BrokenPipeError) or session.current().debug:
            raise
        refusal.exit_code = EXIT_REFUSED
        refusal.help_of = command
        raise refusal from error


def _exit_code(error: MobyError) -> int:
    """As docker's ``run`` has it: what is missing, or may not be executed, is taken for the program."""
    if "no such file or directory" in error.message and (session.is_answer(error) or "container ID file" in error.message):
        return 127
    return EXIT_REFUSED


def _is_of_attachment(error: MobyError) -> bool:
    """True if the streams could not be attached: to docker, that is a failure like any other."""
    # imported here, since few lines fail
    from moby_tui.cli.terminal.detach import WrongKeys

    return isinstance(error, WrongKeys)


def check(options: CreateOptions, *, is_detached: bool) -> None:
    """Raises ``InvalidArgument`` for a value of ``--pull`` that there is not; under the name docker for all that docker refuses."""
    if session.program() == "docker":
        from moby_tui.cli.docker.creation import check as check_as_docker

        check_as_docker(options, is_detached=is_detached)
    if options.pull not in ("always", "missing", "never"):
        raise InvalidArgument(f"invalid value for --pull: {options.pull!r}; use always, missing or never")


async def create_container(client: Client, options: CreateOptions, request: ContainerCreate) -> str:
    """Creates the container, pulling its image as ``--pull`` says; returns its id. Warnings go to standard error."""
    platform = _platform(options)
    if session.program() == "docker":
        from moby_tui.cli.docker.creation import require_image

        require_image(request.image)
    _reserve(options.cidfile)
    if options.pull == "always":
        await _pull(client, options, request.image, platform)
    try:
        created = await client.containers.create(request, name=options.name, platform=platform)
    except NotFound:
        if options.pull != "missing" or await _has_image(client, request.image):
            raise
        print(f"Unable to find image '{_tagged(request.image)}' locally", file=sys.stderr)
        await _pull(client, options, request.image, platform)
        created = await client.containers.create(request, name=options.name, platform=platform)
    if options.kernel_memory:
        print("WARNING: --kernel-memory is discarded: kernel memory counts as memory now, use --memory", file=sys.stderr)
    for warning in created.warnings:
        print(f"WARNING: {warning}", file=sys.stderr)
    if options.cidfile:
        with open(options.cidfile, "w") as file:
            file.write(created.id)
    return created.id


def _reserve(cidfile: str) -> None:
    """Creates the file for the id before the container. Raises ``InvalidArgument`` if it exists or cannot be written."""
    if not cidfile:
        return
    try:
        open(cidfile, "x").close()
    except FileExistsError:
        own = f"container ID file {cidfile} exists: remove it, or the container it belongs to is forgotten"
        dockers = f"container ID file found, make sure the other container isn't running or delete {cidfile}"
        raise InvalidArgument(session.phrase(own, dockers)) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        dockers = f"failed to create the container ID file: open {cidfile}: {reason}"
        raise InvalidArgument(session.phrase(f"cannot write {cidfile}: {reason}", dockers)) from None


async def _has_image(client: Client, image: str) -> bool:
    try:
        await client.images.inspect(image)
    except NotFound:
        return False
    return True


def _platform(options: CreateOptions) -> str:
    """The platform of ``--platform`` or ``DOCKER_DEFAULT_PLATFORM``. Under the name docker raises ``InvalidArgument`` for a malformed one."""
    platform = options.platform or os.environ.get("DOCKER_DEFAULT_PLATFORM", "")
    if session.program() == "docker" and (platform.count("/") > 2 or "" in platform.split("/")) and platform:
        raise InvalidArgument(
            f'error parsing specified platform: "{platform}": cannot parse platform specifier: invalid argument'
        )
    return platform


def _tagged(image: str) -> str:
    """An image as docker names it: with the tag that is meant if none is given."""
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


async def _pull(client: Client, options: CreateOptions, image: str, platform: str) -> None:
    from moby_tui.cli.output import progress

    steps = client.images.pull(image, platform=platform)
    await (progress.consume(steps) if options.quiet else progress.show(steps, sys.stderr))
