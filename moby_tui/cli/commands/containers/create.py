"""``moby create``, and what it shares with ``run``."""

from __future__ import annotations

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

    with refusals():
        check_pull(options)
        session.require_no_trust(options)
        request = create_request(options, image, words, detached=False)
    # as with docker: 125 says that the options cannot be read, 1 that the engine refuses
    print(session.call(lambda client: create_container(client, options, request)))


@contextmanager
def refusals() -> Iterator[None]:
    """Gives errors the exit code 125; 126 and 127, which are the container's command's, stay."""
    try:
        yield
    except MobyError as error:
        if error.exit_code not in (126, 127):
            error.exit_code = EXIT_REFUSED
        raise
    except (OSError, RuntimeError) as error:
        refusal = refused_by_system(error)
        if refusal is None or isinstance(error, BrokenPipeError) or session.current().debug:
            raise
        refusal.exit_code = EXIT_REFUSED
        raise refusal from error


def check_pull(options: CreateOptions) -> None:
    """Raises ``InvalidArgument`` for a value of ``--pull`` that there is not."""
    if options.pull not in ("always", "missing", "never"):
        raise InvalidArgument(f"invalid value for --pull: {options.pull!r}; use always, missing or never")


async def create_container(client: Client, options: CreateOptions, request: ContainerCreate) -> str:
    """Creates the container, pulling its image as ``--pull`` says; returns its id. Warnings go to standard error."""
    _reserve(options.cidfile)
    if options.pull == "always":
        await _pull(client, options, request.image)
    try:
        created = await client.containers.create(request, name=options.name, platform=options.platform)
    except NotFound:
        if options.pull != "missing" or await _has_image(client, request.image):
            raise
        print(f"Unable to find image '{request.image}' locally", file=sys.stderr)
        await _pull(client, options, request.image)
        created = await client.containers.create(request, name=options.name, platform=options.platform)
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
        raise InvalidArgument(
            f"container ID file {cidfile} exists: remove it, or the container it belongs to is forgotten"
        ) from None
    except OSError as error:
        raise InvalidArgument(f"cannot write {cidfile}: {(error.strerror or str(error)).lower()}") from None


async def _has_image(client: Client, image: str) -> bool:
    try:
        await client.images.inspect(image)
    except NotFound:
        return False
    return True


async def _pull(client: Client, options: CreateOptions, image: str) -> None:
    from moby_tui.cli.output import progress

    steps = client.images.pull(image, platform=options.platform)
    await (progress.consume(steps) if options.quiet else progress.show(steps, sys.stderr))
