"""Builds of ``POST /build?version=2``: BuildKit's builder, asked for with the Engine API's parameters.

Docker's command lines from 18.09 to 22 build so. The files are in a session, or in the body of a request; the messages of
``Control.Status`` are lines of the answer (moby, builder/builder-next/builder.go).
"""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from typing import Any

import msgspec
from grpclib.exceptions import GRPCError

from moby_tui.api.buildkit.control.builds import Builds
from moby_tui.api.buildkit.control.solve import Solve
from moby_tui.api.buildkit.session.sessions import Sessions
from moby_tui.api.buildkit.session.uploads import HOST
from moby_tui.api.buildkit.wire.control_pb2 import CacheOptions, CacheOptionsEntry, Exporter, SolveRequest, StatusResponse
from moby_tui.api.client.protocol import Client
from moby_tui.engine.tasks import settled
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound
from moby_tui.schema.container import Ulimit
from moby_tui.schema.image import Progress

#: The address of a context, and the beginning of a ``buildid``: the context comes in a request of its own.
UPLOAD = "upload-request"
#: The address of a context that is in the session.
_SESSION = "client-session"
#: Seconds that a build waits for such a request, and the request for its build.
PATIENCE = 10.0
_TRACE, _IMAGE_ID = "moby.buildkit.trace", "moby.image.id"
_NETWORKS = ("host", "none")
#: Parameters that no frontend of BuildKit's has: limits of the RUN steps, by their fields in ``HostConfig``.
_LIMITS = {
    **{"memory": "memory", "memory_swap": "memswap", "cpu_shares": "cpushares", "cpu_period": "cpuperiod"},
    **{"cpu_quota": "cpuquota", "cpuset_cpus": "cpusetcpus", "cpuset_mems": "cpusetmems"},
}


class Line(msgspec.Struct, kw_only=True):
    """A line of the answer. ``aux`` is a message in base64, or an object."""

    id: str
    aux: str | dict[str, str]


class _Output(msgspec.Struct, rename="pascal"):
    type: str
    attrs: dict[str, str] | None = None


class Uploads:
    """Contexts that come in a request of their own, by the ``buildid`` of the build that takes each."""

    def __init__(self) -> None:
        self._waiting: dict[str, AsyncIterator[bytes]] = {}
        self._taken: set[str] = set()
        self._changed = asyncio.Condition()

    async def send(self, ident: str, pieces: AsyncIterator[bytes]) -> None:
        """Returns once the build has read all. Raises ``NotFound`` if no build takes it, ``Conflict`` for a second context."""
        if ident in self._waiting or ident in self._taken:
            raise Conflict(f"the build {ident[:80]} has a context already")
        self._waiting[ident] = pieces
        try:
            await self._wait(lambda: ident not in self._waiting, f"no build {ident[:80]} waits for a context")
            async with self._changed:
                await self._changed.wait_for(lambda: ident not in self._taken)
        finally:
            self._waiting.pop(ident, None)

    async def take(self, ident: str) -> AsyncGenerator[bytes, None]:
        """The bytes of the context, once they come. Raises ``NotFound`` if none are sent."""
        await self._wait(lambda: ident in self._waiting, f"no context was sent for the build {ident[:80]}")
        pieces = self._waiting.pop(ident)
        self._taken.add(ident)
        try:
            await self._tell()
            async for piece in pieces:
                yield piece
        finally:
            self._taken.discard(ident)
            await self._tell()

    async def _wait(self, condition: Any, refusal: str) -> None:
        await self._tell()
        try:
            async with asyncio.timeout(PATIENCE), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            raise NotFound(refusal) from None

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class PostedBuilds:
    """Of one daemon; ``uploads`` has the contexts that come in requests of their own."""

    def __init__(self, client: Client, sessions: Sessions, builds: Builds) -> None:
        self.uploads = Uploads()
        self._client = client
        self._sessions = sessions
        self._builds = builds

    async def build(self, parameters: Mapping[str, Any], body: AsyncIterator[bytes]) -> AsyncGenerator[Line | Progress, None]:
        """The lines of the answer to a build. ``body`` is the context if no parameter names one.

        Raises ``InvalidArgument`` for a parameter, and ``MobyError`` with BuildKit's words for a build that has failed.
        """
        address = parameters["remote"]
        sent: AsyncIterator[bytes] | None = None
        if address == UPLOAD:
            sent = self.uploads.take(parameters["buildid"])
        elif not address:
            sent = body
        solve = Solve(self._client, self._sessions, _request(parameters), sent, _limits(parameters))
        async with self._builds.running(solve):
            running = asyncio.create_task(solve.run())
            try:
                held = list[Line]()
                async for message in solve.log.follow():
                    if parameters["q"]:
                        held.append(_trace(message))
                    else:
                        yield _trace(message)
                try:
                    answer = await running
                except GRPCError as error:
                    for line in held:
                        yield line
                    raise MobyError(error.message or "the build has failed") from error
            finally:
                running.cancel()
                await settled(running)
        if (image := answer.get("containerimage.digest")) and _is_stored(solve.request):
            yield Progress(stream=f"{image}\n") if parameters["q"] else Line(id=_IMAGE_ID, aux={"ID": image})


def _trace(message: StatusResponse) -> Line:
    return Line(id=_TRACE, aux=base64.b64encode(message.SerializeToString()).decode())


def _is_stored(request: SolveRequest) -> bool:
    return any(exporter.Type in ("moby", "image") for exporter in request.Exporters)


def _request(parameters: Mapping[str, Any]) -> SolveRequest:
    """Raises ``InvalidArgument``."""
    inline = parameters["buildargs"].get("BUILDKIT_INLINE_CACHE") or ""
    exports = [CacheOptionsEntry(Type="inline")] if inline.lower() in ("1", "t", "true") else []
    return SolveRequest(
        Ref=os.urandom(12).hex(),
        Session=parameters["session"],
        Frontend="dockerfile.v0",
        FrontendAttrs=_attributes(parameters),
        Exporters=_exporters(parameters),
        Cache=CacheOptions(Exports=exports),
        Entitlements=["network.host"] if parameters["networkmode"] == "host" else [],
    )


def _attributes(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The frontend's attributes, as dockerd makes them of the parameters."""
    network, address = parameters["networkmode"], parameters["remote"]
    if network not in ("", "default", *_NETWORKS):
        raise InvalidArgument(f'network mode "{network[:80]}" not supported by buildkit')
    attributes = {
        "target": parameters["target"],
        "filename": parameters["dockerfile"],
        "context": f"http://{HOST}/context" if address in ("", UPLOAD) else address,
        "cache-from": _joined(_decoded(parameters, "cachefrom", list[str])),
        "image-resolve-mode": "pull" if parameters["pull"] else "default",
        "platform": parameters["platform"],
        "force-network-mode": network if network in _NETWORKS else "",
        "add-hosts": _joined(entry.replace(":", "=", 1) for entry in parameters["extrahosts"]),
        "shm-size": str(parameters["shmsize"] or ""),
        "ulimit": _joined(f"{each.name}={each.soft}:{each.hard}" for each in _decoded(parameters, "ulimits", list[Ulimit])),
        "cgroup-parent": parameters["cgroupparent"],
    }
    if address == _SESSION:
        del attributes["context"]
    if parameters["nocache"]:
        attributes["no-cache"] = ""
    attributes |= {f"build-arg:{name}": value for name, value in parameters["buildargs"].items() if value is not None}
    attributes |= {f"label:{name}": value or "" for name, value in parameters["labels"].items()}
    return {name: value for name, value in attributes.items() if value or name == "no-cache" or ":" in name}


def _exporters(parameters: Mapping[str, Any]) -> list[Exporter]:
    """The one output; an image in the store if none is asked for."""
    outputs = _decoded(parameters, "outputs", list[_Output])
    if len(outputs) > 1:
        raise InvalidArgument("multiple outputs not supported")
    if outputs and outputs[0].type == "cacheonly":
        return []
    exporter = Exporter(Type=outputs[0].type, Attrs=outputs[0].attrs or {}) if outputs else Exporter(Type="moby")
    if exporter.Type in ("moby", "image") and parameters["t"]:
        exporter.Attrs["name"] = _joined(parameters["t"])
    return [exporter]


def _limits(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {field: parameters[name] for field, name in _LIMITS.items() if parameters[name]}


def _decoded(parameters: Mapping[str, Any], name: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(parameters[name] or "[]", type=kind | None) or []
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidArgument(f"invalid {name}: {error}") from None


def _joined(values: Iterable[str]) -> str:
    """One line of comma-separated values (RFC 4180)."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
