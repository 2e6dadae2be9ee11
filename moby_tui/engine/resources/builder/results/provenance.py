"""Provenance of an image: a statement of what it was made from and how, beside the image in an index.

The form is BuildKit's: https://slsa.dev/provenance/v0.2 in an in-toto statement (``attestations.py``). The graph of operations that BuildKit
adds (``buildConfig``, and the places and layers of its steps) is not in it: this engine makes none.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from moby_tui.engine.resources.builder.results.attestations import Statement, package, stated
from moby_tui.engine.resources.builder.sources.bases import Material
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.reference import Reference, hex_of
from moby_tui.schema import oci
from moby_tui.schema.build import BuildOptions, Provenance

PREDICATE = "https://slsa.dev/provenance/v0.2"
_BUILD_TYPE = "https://mobyproject.org/buildkit@v1"
#: Arguments that the smallest provenance leaves out.
_NOT_IN_MIN = ("build-arg:", "label:")


@dataclass(frozen=True)
class Story:
    """How a build went: its id, its Dockerfile, when it began, the images that it used, and the ids of secrets and agents that the
    Dockerfile names, each with True if the build can go on without it. Secrets themselves are nowhere in it."""

    ident: str
    dockerfile: bytes
    began: datetime
    materials: Sequence[Material] = ()
    secrets: Sequence[tuple[str, bool]] = ()
    agents: Sequence[tuple[str, bool]] = ()


def state(image: oci.Descriptor, tags: Sequence[Reference], options: BuildOptions, asked: Provenance, story: Story) -> Statement:
    """The provenance of an image, whose platform is set."""
    stated_of = predicate(image.platform or platforms.host(), options, asked, story)
    return stated(PREDICATE, stated_of, image, tags)


def predicate(platform: oci.Platform, options: BuildOptions, asked: Provenance, story: Story) -> dict[str, Any]:
    """What the statement says of an image for a platform."""
    materials = [
        {"uri": package(material.reference, material.platform), "digest": {"sha256": hex_of(material.digest)}}
        for material in story.materials
    ]
    remote = _redacted(options.remote)
    source = {**({"uri": remote} if remote else {}), "entryPoint": options.dockerfile}
    return {
        "builder": {"id": asked.builder},
        "buildType": _BUILD_TYPE,
        "materials": materials,
        "invocation": {
            "configSource": source,
            "parameters": _parameters(options, asked, story),
            "environment": {"platform": platforms.text(platform)},
        },
        "metadata": _metadata(
            asked, story, options.dockerfile, is_complete=bool(materials) and not options.folder and not remote
        ),
    }


def _parameters(options: BuildOptions, asked: Provenance, story: Story) -> dict[str, Any]:
    arguments = {name: value for name, value in asked.arguments.items() if asked.everything or not name.startswith(_NOT_IN_MIN)}
    folders = sorted({folder for folder in (options.folder, options.dockerfile_folder) if folder})
    parameters: dict[str, Any] = {"frontend": asked.frontend, "args": arguments}
    if asked.everything:
        for name, idents in (("secrets", story.secrets), ("ssh", story.agents)):
            if idents:
                parameters[name] = [{"id": ident, **({"optional": True} if optional else {})} for ident, optional in idents]
    return {**parameters, "locals": [{"name": folder} for folder in folders]}


def _metadata(asked: Provenance, story: Story, dockerfile: str, *, is_complete: bool) -> dict[str, Any]:
    vcs = {name: _redacted(value) if name == "source" else value for name, value in asked.vcs.items()}
    more: dict[str, Any] = {"vcs": vcs} if vcs else {}
    if asked.everything:
        data = base64.b64encode(story.dockerfile).decode()
        more["source"] = {"infos": [{"filename": dockerfile, "language": "Dockerfile", "data": data}]}
    return {
        "buildInvocationID": story.ident,
        "buildStartedOn": _moment(story.began),
        "buildFinishedOn": _moment(datetime.now(UTC)),
        "completeness": {"parameters": asked.everything, "environment": True, "materials": is_complete},
        "reproducible": asked.is_reproducible,
        f"{_BUILD_TYPE}#metadata": more,
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _redacted(address: str) -> str:
    """An address without user and password."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.scheme else address
