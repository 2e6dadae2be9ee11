"""The results of a container's health checks, which its monitor writes."""

from __future__ import annotations

from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.schema.container import Health, HealthLogEntry


def is_checked(record: ContainerRecord) -> bool:
    """True for a container with a health check. As with Docker, a test of an unknown kind counts as none."""
    check = record.config.healthcheck
    return bool(check and check.test and check.test[0] in ("CMD", "CMD-SHELL"))


def read(record: ContainerRecord, files: ContainerPaths) -> Health | None:
    """The health in the container's file; None without a check, and before the first result."""
    if not is_checked(record):
        return None
    # imported here, since few containers have a health check
    from moby_tui.engine.protocol.health import HealthReport

    try:
        report = HealthReport.decode(files.health.read_bytes())
    except (OSError, MalformedMessage):
        # missing before the first probe, or damaged on the disk: the next probe writes it anew
        return None
    entries = [HealthLogEntry(start=one.start, end=one.end, exit_code=one.exit_code, output=one.output) for one in report.log]
    return Health(status=report.status, failing_streak=report.streak, log=entries)
