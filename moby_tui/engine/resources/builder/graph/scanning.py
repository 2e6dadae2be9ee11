"""A bill of materials of an image, made by a scanner that is an image too: BuildKit's protocol for generators of SBOMs.

https://github.com/moby/buildkit/blob/master/docs/attestations/sbom-protocol.md. The scanner finds the image's files in one folder and
writes statements in another one. What it writes is hostile.
"""

from __future__ import annotations

from moby_tui.engine.resources.builder.execution import written
from moby_tui.engine.resources.builder.graph.commands import Command
from moby_tui.engine.resources.builder.graph.outputs import Outputs, stripped
from moby_tui.engine.resources.builder.graph.workshop import Workshop
from moby_tui.engine.resources.builder.image import BuiltImage
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument
from moby_tui.reference import parse
from moby_tui.schema import oci
from moby_tui.schema.build import Scan
from moby_tui.schema.operations import NONE, Execution, Mount

_SOURCE, _DESTINATION = "/run/src/core/sbom", "/run/out/"


async def scan(asked: Scan, image: BuiltImage, shop: Workshop) -> list[bytes]:
    """The files that the scanner has written, by their names. Raises ``StepFailed``, ``InvalidArgument``, and the errors of a pull."""
    config = image.config
    platform = platforms.text(oci.Platform(os=config.os, architecture=config.architecture, variant=config.variant))
    name = parse(asked.scanner).tagged()
    with shop.report.step(f"[{platform}] generating sbom using {name.canonical}"):
        scanner = await shop.base(name.familiar)
        outputs = Outputs(shop, [stripped(scanner), stripped(image)], "")
        made = await Command(shop, _execution(asked, scanner), outputs).run()
        async with outputs.root(made[0]) as root:
            return await in_thread(written.files, root, "/")


def _execution(asked: Scan, scanner: BuiltImage) -> Execution:
    own = scanner.execution
    command = [*(own.entrypoint or ()), *(own.cmd or ())]
    if not command:
        raise InvalidArgument(f"the scanner {asked.scanner[:200]} does not have cmd")
    told = {"DESTINATION": _DESTINATION, "SOURCE": _SOURCE, **asked.parameters}
    return Execution(
        command=command,
        environment=[*(own.env or ()), *(f"BUILDKIT_SCAN_{name}={value}" for name, value in told.items())],
        working_directory=own.working_dir or "/",
        mounts=[
            Mount(kind="bind", target="/", input=0),
            Mount(kind="tmpfs", target="/tmp"),
            Mount(kind="bind", target=_SOURCE, input=1, readonly=True),
            Mount(kind="bind", target=_DESTINATION, input=NONE, output=0),
        ],
    )
