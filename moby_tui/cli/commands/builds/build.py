"""``moby build``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument, MobyError, NotImplementedYet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.output.building import View
    from moby_tui.cli.output.delivery import Delivery
    from moby_tui.cli.table.builds import BuildOptions
    from moby_tui.cli.values.builds import Wanted
    from moby_tui.schema.build import BuildOptions as BuildRequest
    from moby_tui.schema.container import HostConfig
    from moby_tui.schema.image import Progress, RegistryAuth

_EPOCH = "SOURCE_DATE_EPOCH"


def build(options: BuildOptions, context: str) -> None:
    """``moby build``."""
    _check_flags_of_old(options)
    if options.debug and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidArgument("--debug opens a shell, which needs a terminal: run it on one, or leave it out")
    result = session.call(lambda client: _build(client, options, context))
    if options.iidfile:
        _write(options.iidfile, str(result.get("ID", "")))
    if options.metadata_file:
        _write_metadata(options, result)
    if options.quiet and not _goes_to_output(options):
        print(result.get("ID", ""))


def _check_flags_of_old(options: BuildOptions) -> None:
    """Raises ``NotImplementedYet`` and ``InvalidArgument`` for flags of docker's first builder that ask for more than is done anyway."""
    session.require_no_trust(options)
    if options.isolation.lower() not in ("", "default"):
        raise InvalidArgument(f'invalid isolation "{options.isolation}" on linux: only default can be')
    if options.squash:
        raise NotImplementedYet("option --squash")
    if options.security_opt:
        raise NotImplementedYet("option --security-opt of a build")


def _goes_to_output(options: BuildOptions) -> bool:
    """True if a result goes to standard output, where nothing else may be printed then."""
    from moby_tui.cli.values import builds

    return any(wanted.destination == "-" for wanted in builds.outputs(options.output, push=options.push))


async def _build(client: Client, options: BuildOptions, context: str) -> dict[str, str | int]:
    """Builds; returns the metadata of the result."""
    from moby_tui.cli.files import sources
    from moby_tui.cli.output import building
    from moby_tui.cli.values import builds
    from moby_tui.cli.values.environment import pairs
    from moby_tui.schema.build import Output

    kind = "quiet" if options.quiet else options.progress or os.environ.get("BUILDKIT_PROGRESS", "") or "auto"
    if kind not in building.KINDS:
        raise InvalidArgument(f"invalid --progress {kind[:40]!r}: it is one of {', '.join(building.KINDS)}")
    wanted = builds.outputs(options.output, push=options.push)
    if options.load:
        wanted.append(builds.outputs(["type=image"], push=False)[0])
    references, folders = builds.cache_sources(options.cache_from)
    caches = builds.cache_targets(options.cache_to)
    request = request_of(options)
    request.outputs = [each.output for each in wanted]
    request.cache_from, request.cache_to = references, [target for target, _ in caches]
    sent = sources.gather(request, context, options.file, pairs("--build-context", options.build_context), folders)
    local = [builds.Wanted(Output(kind="local"), folder) for _, folder in caches]
    steps = client.builder.build(sent.context, request, sent.uploads)
    # with --check the findings are the result
    view = building.view("plain", sys.stdout) if options.check else building.view(kind, sys.stderr)
    try:
        return await _follow(client, steps, view, [*(wanted or [builds.Wanted(Output(kind="image"))]), *local])
    finally:
        view.close()


async def _follow(client: Client, steps: AsyncIterator[Progress], view: View, wanted: list[Wanted]) -> dict[str, str | int]:
    from contextlib import aclosing

    from moby_tui.cli.output.delivery import open_delivery

    result: dict[str, str | int] = {}
    deliveries: dict[int, Delivery] = {}
    try:
        async with aclosing(steps) as lines:  # type: ignore[type-var]
            async for line in lines:
                if line.error_detail is not None or line.error:
                    raise MobyError(line.error_detail.message if line.error_detail else str(line.error))
                if line.output is not None:
                    if line.number not in deliveries:
                        deliveries[line.number] = open_delivery(wanted[line.number])
                    await deliveries[line.number].take(line.output)
                elif line.aux and "Debug" in line.aux:
                    view.pause()
                    await _look_around(client, str(line.aux["Debug"]))
                else:
                    result |= line.aux or {}
                    view.show(line)
        for delivery in deliveries.values():
            await delivery.end()
    except BaseException:
        for delivery in deliveries.values():
            await delivery.abandon()
        raise
    return result


async def _look_around(client: Client, container: str) -> None:
    """Opens a shell on the files that a failed step has left; the container is removed after it."""
    from moby_tui.cli.commands.containers.execute import request_of, run_attached
    from moby_tui.cli.table.containers import ExecOptions

    print("the step failed: this is its file system, with its mounts and environment; exit ends the build", file=sys.stderr)
    options = ExecOptions(interactive=True, tty=True)
    try:
        await run_attached(client, options, container, request_of(options, ["/bin/sh"]), stdin=True)
    except MobyError as error:
        session.tell(error)
    finally:
        await client.containers.kill(container)


def request_of(options: BuildOptions) -> BuildRequest:
    """What the options ask for, without where files come from and where the result goes."""
    from moby_tui.cli.values import builds
    from moby_tui.cli.values.environment import environment, pairs
    from moby_tui.schema.build import BuildOptions as BuildRequest

    arguments = [entry for entry in environment(options.build_arg, (), os.environ) if "=" in entry]
    if _EPOCH in os.environ:
        arguments.insert(0, f"{_EPOCH}={os.environ[_EPOCH]}")
    return BuildRequest(
        tags=options.tag,
        build_args=pairs("--build-arg", arguments),
        labels=pairs("--label", options.label),
        annotations=_annotations(options.annotation),
        target=options.target,
        platforms=[platform for text in options.platform for platform in text.split(",")],
        pull=options.pull,
        no_cache=options.no_cache,
        no_cache_filter=[stage for text in options.no_cache_filter for stage in text.split(",")],
        secrets=builds.secrets(options.secret, os.environ),
        ssh=builds.agents(options.ssh, os.environ),
        allow=options.allow,
        check=options.check,
        host=_host(options),
        jobs=options.jobs,
        live=not options.check,
        debug=options.debug,
        auths=_logins(),
    )


def _annotations(given: list[str]) -> dict[str, str]:
    from moby_tui.cli.values.environment import pairs

    for text in given:
        if text.startswith(("index:", "index[", "index-descriptor", "manifest[", "manifest-descriptor")):
            raise InvalidArgument(
                f"invalid --annotation {text[:80]!r}: those of a manifest alone can be set; write it as key=value"
            )
    return pairs("--annotation", [text.removeprefix("manifest:") for text in given])


def _logins() -> dict[str, RegistryAuth]:
    """The stored logins, for an engine on another machine, which cannot read them."""
    if not session.current().host:
        return {}
    from moby_tui import logins

    return logins.known(session.current().login_folder)


def _host(options: BuildOptions) -> HostConfig:
    from moby_tui.cli.configuration import extra_hosts
    from moby_tui.cli.values import devices, units
    from moby_tui.schema.container import HostConfig

    return HostConfig(
        network_mode="" if options.network == "default" else options.network,
        extra_hosts=extra_hosts(options.add_host) or None,
        shm_size=units.parse_size(options.shm_size) if options.shm_size else 0,
        ulimits=[devices.parse_ulimit(spec) for spec in options.ulimit] or None,
        memory=units.parse_size(options.memory) if options.memory else 0,
        memory_swap=units.parse_swap(options.memory_swap) if options.memory_swap else 0,
        cpu_shares=options.cpu_shares,
        cpu_period=options.cpu_period,
        cpu_quota=options.cpu_quota,
        cpuset_cpus=options.cpuset_cpus,
        cpuset_mems=options.cpuset_mems,
        cgroup_parent=options.cgroup_parent,
    )


def _write_metadata(options: BuildOptions, result: dict[str, str | int]) -> None:
    """With the keys of buildx."""
    import json

    metadata = {"containerimage.config.digest": result.get("ID", ""), "containerimage.digest": result.get("Digest", "")}
    if options.tag:
        metadata["image.name"] = ",".join(options.tag)
    _write(options.metadata_file, json.dumps({key: text for key, text in metadata.items() if text}, indent=2) + "\n")


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError as error:
        raise InvalidArgument(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from None
