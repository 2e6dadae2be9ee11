"""The builds of a daemon as records: `docker buildx history`. They are kept in memory, as long as the daemon runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from google.protobuf.timestamp_pb2 import Timestamp

from moby_tui.api.buildkit.control import records
from moby_tui.api.buildkit.control.builds import Builds
from moby_tui.api.buildkit.control.filters import any_of_builds
from moby_tui.api.buildkit.control.solve import Solve
from moby_tui.api.buildkit.wire import control_pb2 as pb
from moby_tui.schema import oci

#: Schemes of the addresses of repositories.
_REPOSITORIES = ("https://", "http://", "git://", "ssh://", "git@")


async def listen(builds: Builds, request: pb.BuildHistoryRequest) -> AsyncIterator[pb.BuildHistoryEvent]:
    """The builds so far, the latest first with ``EarlyExit``; without it also what changes, until the caller goes.

    Raises ``InvalidArgument``, ``NotImplementedYet`` for filters.
    """
    matches = any_of_builds(request.Filter, ("ref", "status", "repository"))
    sent: dict[str, int] = {}
    while True:
        wanted = [solve for solve in builds.all.values() if not solve.request.Internal and request.Ref in ("", solve.ref)]
        wanted = [solve for solve in wanted if not (request.ActiveOnly and solve.ended)]
        wanted = [solve for solve in wanted if matches(partial(_look, solve), partial(_number, solve))]
        for solve in wanted[-request.Limit :] if request.Limit else wanted:
            kind = pb.COMPLETE if solve.ended else pb.STARTED
            if sent.get(solve.ref) != kind:
                sent[solve.ref] = kind
                yield pb.BuildHistoryEvent(type=kind, record=_record(solve))
        for ref in sent.keys() - builds.all.keys():
            del sent[ref]
            yield pb.BuildHistoryEvent(type=pb.DELETED, record=pb.BuildHistoryRecord(Ref=ref))
        if request.EarlyExit:
            return
        async with builds.changed:
            await builds.changed.wait()


def _look(solve: Solve, field: str) -> str | None:
    """A field of a build as filters see it: those of BuildKit (solver/llbsolver/history.go)."""
    if field == "ref":
        return solve.ref
    if field == "status":
        return _status(solve)
    if field == "repository":
        context = solve.attributes.get("context", "")
        return solve.attributes.get("vcs:source") or (context if context.startswith(_REPOSITORIES) else None)
    return None


def _status(solve: Solve) -> str:
    if not solve.ended:
        return "running"
    if solve.error is None:
        return "completed"
    return "canceled" if "context canceled" in (solve.error.message or "") else "error"


def _number(solve: Solve, field: str) -> float:
    if field == "startedAt":
        return int(solve.begun)
    if field == "completedAt":
        return int(solve.ended)
    return solve.ended - solve.begun if solve.ended else 0.0


def _record(solve: Solve) -> pb.BuildHistoryRecord:
    counts = solve.reporter.counts
    record = pb.BuildHistoryRecord(
        Ref=solve.ref,
        Frontend="dockerfile.v0",
        FrontendAttrs=solve.attributes,
        Exporters=list(solve.request.Exporters),
        CreatedAt=_moment(solve.begun),
        ExporterResponse=solve.response,
        pinned=solve.pinned,
        numCachedSteps=counts["cached"],
        numTotalSteps=counts["total"],
        numCompletedSteps=counts["completed"],
        numWarnings=counts["warnings"],
    )
    if solve.ended:
        record.CompletedAt.CopyFrom(_moment(solve.ended))
        record.logs.CopyFrom(records.log(solve).descriptor)
    if solve.error is not None and (failure := records.error(solve)) is not None:
        record.error.code = solve.error.status.value
        record.error.message = solve.error.message or ""
        record.externalError.CopyFrom(failure.descriptor)
    attestations = records.provenance(solve)
    for platform, blob in attestations:
        place = record.Result if len(attestations) == 1 else record.Results[_name(platform)]
        place.Attestations.append(blob.descriptor)
    return record


def _name(platform: oci.Platform) -> str:
    return "/".join(filter(None, (platform.os, platform.architecture, platform.variant)))


def _moment(seconds: float) -> Timestamp:
    return Timestamp(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))
