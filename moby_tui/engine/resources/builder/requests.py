"""Checks the request for a build, before anything is fetched or made."""

from __future__ import annotations

import os
import re

from moby_tui.engine.resources.builder import entitlements
from moby_tui.engine.resources.dockerfile.syntax import is_our_frontend
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.errors import InvalidArgument, NotImplementedYet, OtherFrontend
from moby_tui.reference import Reference, parse, parse_tag
from moby_tui.schema.build import BuildOptions, Output
from moby_tui.schema.container import HostConfig
from moby_tui.schema.operations import Assembly, Sandbox

#: Names of ``--build-arg``: Docker takes any; this engine takes what can be an environment variable.
_VARIABLE = re.compile(r"[^=\0]+")
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_OUTPUTS = ("image", "registry", "local", "tar", "oci", "docker", "cacheonly")
_CACHES = ("inline", "registry", "local")
_STORED = ("image", "registry")
#: The options of a build that apply to all its RUN steps.
_HOST = {
    *("network_mode", "extra_hosts", "shm_size", "ulimits", "memory", "memory_swap", "cgroup_parent"),
    *("cpu_shares", "cpu_period", "cpu_quota", "cpuset_cpus", "cpuset_mems"),
}
INLINE_CACHE = "BUILDKIT_INLINE_CACHE"
FRONTEND = "BUILDKIT_SYNTAX"
EPOCH = "SOURCE_DATE_EPOCH"
#: Build arguments that ask for bills of materials of stages and of the context.
MORE_SCANS = "BUILDKIT_SBOM_SCAN_"
#: RUN steps at a time by default, on a machine with few processors. BuildKit has no bound.
LEAST_JOBS = 8


def check(options: BuildOptions) -> None:
    """Raises ``InvalidArgument``, ``NotImplementedYet``."""
    references(options.tags)
    if options.id and not _ID.fullmatch(options.id):
        raise InvalidArgument(f"invalid id of a build {options.id[:80]!r}: at most 64 letters, digits and hyphens")
    for name in options.build_args:
        if not _VARIABLE.fullmatch(name):
            raise InvalidArgument(f"invalid build argument {name[:80]!r}: write name=value")
    frontend = options.build_args.get(FRONTEND, "")
    if frontend and not options.any_syntax and not is_our_frontend(image := frontend.partition(" ")[0]):
        raise OtherFrontend(image, frontend, f" ({FRONTEND})")
    if options.graph is not None:
        options.graph.check()
    if isinstance(options.task, Sandbox):
        options.task.check()
    epoch(options)
    entitlements.read(options.allow)
    for text in options.platforms:
        platforms.parse(text)
    _check_outputs(options)
    for cache in options.cache_to:
        if cache.kind not in _CACHES:
            raise InvalidArgument(f"unknown type {cache.kind[:40]!r} of a cache: it is one of {', '.join(_CACHES)}")
        if cache.kind == "registry":
            parse(cache.reference)
    plain = HostConfig()
    for name in plain.__struct_fields__:
        if name not in _HOST and getattr(options.host, name) != getattr(plain, name):
            raise InvalidArgument(f"{name.replace('_', ' ')} is nothing that a RUN step can be given")
    if options.jobs < 0:
        raise InvalidArgument(f"invalid number of jobs {options.jobs}: it is 1 or more, or 0 for the default")


def check_scan(options: BuildOptions, dockerfile: bytes) -> None:
    """Raises ``NotImplementedYet`` for bills of materials of more than the image, which a Dockerfile may ask for too."""
    wanted = MORE_SCANS.encode() in dockerfile or any(name.startswith(MORE_SCANS) for name in options.build_args)
    if options.scan is not None and wanted:
        raise NotImplementedYet(f"an argument {MORE_SCANS}...: scans of more than the image")


def _check_outputs(options: BuildOptions) -> None:
    provenance = options.provenance
    if provenance is not None and provenance.everything and not any(map(takes_provenance, outputs(options))):
        raise NotImplementedYet("provenance of an image that is stored alone (use --push, or -o type=oci,dest=FILE)")
    if options.scan is not None and not all(map(takes_provenance, outputs(options))):
        raise NotImplementedYet("a bill of materials of an image that is stored alone (use --push, or -o type=oci,dest=FILE)")
    attested = isinstance(options.task, Assembly) and any(part.attested for part in options.task.parts)
    if attested and not all(map(takes_provenance, outputs(options))):
        raise NotImplementedYet("attestations of an image that is stored alone (use --push, or -o type=oci,dest=FILE)")
    for output in outputs(options):
        if output.kind not in _OUTPUTS:
            raise InvalidArgument(f"unknown type {output.kind[:40]!r} of an output: it is one of {', '.join(_OUTPUTS)}")
        if is_pushed(output) and not options.tags:
            raise InvalidArgument("a tag is needed when pushing to a registry: name one with -t")
        if len(options.platforms) > 1 and output.kind == "docker":
            raise InvalidArgument("docker exporter does not currently support exporting manifest lists")


def takes_provenance(output: Output) -> bool:
    """True for outputs that have an index, beside whose image provenance is put."""
    return is_pushed(output) or output.kind == "oci"


def references(tags: list[str]) -> list[Reference]:
    """Raises ``InvalidArgument``."""
    return list(dict.fromkeys(map(parse_tag, tags)))


def outputs(options: BuildOptions) -> list[Output]:
    return options.outputs or [Output(kind="image")]


def is_pushed(output: Output) -> bool:
    return output.kind == "registry" or (output.kind == "image" and output.push)


def is_stored(output: Output) -> bool:
    return output.kind in _STORED


def is_to_caller(output: Output) -> bool:
    return output.kind not in (*_STORED, "cacheonly")


def epoch(options: BuildOptions) -> int | None:
    """https://reproducible-builds.org/specs/source-date-epoch/. Raises ``InvalidArgument``."""
    text = options.build_args.get(EPOCH, "")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or int(text) >= 1 << 34:
        raise InvalidArgument(f"invalid {EPOCH} {text[:40]!r}: it is a number of seconds since 1970")
    return int(text)


def tells_its_steps(options: BuildOptions) -> bool:
    """True if the image carries its steps as an inline cache; the build argument is for clients without ``cache_to``."""
    return any(target.kind == "inline" for target in options.cache_to) or options.build_args.get(INLINE_CACHE) == "1"


def jobs(options: BuildOptions) -> int:
    """RUN steps at a time. Many steps wait for a network more than for a processor, so that the default is more than one for each."""
    return options.jobs or max(LEAST_JOBS, len(os.sched_getaffinity(0)))
