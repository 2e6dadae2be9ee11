"""Reads a line of ``build`` for the dashboard, whose form writes one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from moby_tui.cli.commands.builds.build import request_of
from moby_tui.cli.commands.containers.reading import read_options
from moby_tui.cli.files import sources
from moby_tui.cli.table.builds import BUILD, BuildOptions
from moby_tui.cli.values import builds
from moby_tui.cli.values.environment import pairs
from moby_tui.errors import InvalidArgument
from moby_tui.screens.building.request import BuildRequest, Sent

#: What makes files on the command line, or asks its terminal.
_REFUSED = {
    "output": "-o", "iidfile": "--iidfile", "metadata_file": "--metadata-file", "debug": "--debug", "quiet": "-q", "progress": "--progress",
    "check": "--check",
}  # fmt: skip


def read_build(words: Sequence[str]) -> BuildRequest:
    """What the words behind ``moby build`` ask for. Raises ``MobyError``, with the command line's texts."""
    read, positional = read_options(BUILD, words)
    options, context = cast("BuildOptions", read), positional["context"]
    for name, option in _REFUSED.items():
        if getattr(options, name):
            raise InvalidArgument(f"{option} is for the command line: here the build is shown, and makes an image")
    if "-" in (context, options.file):
        raise InvalidArgument("the dashboard has no standard input to build from: name a folder, a file or an address")
    if any(folder for _, folder in builds.cache_targets(options.cache_to)):
        raise InvalidArgument("--cache-to type=local is for the command line: name a registry, or use type=inline")

    def open_sources() -> Sent:
        request = request_of(options)
        wanted = builds.outputs([], push=options.push)
        request.outputs = [each.output for each in wanted]
        request.cache_from, folders = builds.cache_sources(options.cache_from)
        request.cache_to = [target for target, _ in builds.cache_targets(options.cache_to)]
        named = pairs("--build-context", options.build_context)
        sent = sources.gather(request, context, options.file, named, folders)
        return Sent(request, sent.context, sent.uploads)

    return BuildRequest(context, tuple(options.tag), open_sources)
