"""Health checks: the settings of a new container, and their part in the order to its monitor, which probes
(``runtime/monitor/health.py``)."""

from __future__ import annotations

import signal

from moby_tui.engine.containers.views.health import is_checked
from moby_tui.engine.protocol.order import HealthSettings
from moby_tui.engine.runtime.configuration import spec
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records.containers import ContainerRecord, ExecConfig
from moby_tui.engine.store.records.containers import HealthConfig as ImageHealthConfig
from moby_tui.schema.container import HealthConfig
from moby_tui.stop_signal import DEFAULT_STOP_SECONDS, is_sent, parse_signal

_SECOND = 1_000_000_000
_INTERVAL, _TIMEOUT, _START_INTERVAL = 30 * _SECOND, 30 * _SECOND, 5 * _SECOND
_RETRIES = 3


def merge(asked: HealthConfig | None, preset: ImageHealthConfig | None) -> HealthConfig | None:
    """The health check of a new container: the settings of the request, the others from its image. None if neither has a check."""
    if preset is None:
        return asked
    if asked is None:
        asked = HealthConfig()
    values = {name: getattr(asked, name) or getattr(preset, name) for name in HealthConfig.__struct_fields__}
    return HealthConfig(**values)


def order(record: ContainerRecord, identity: spec.Identity, files: ContainerPaths) -> HealthSettings | None:
    """The health check in the order to the container's monitor; None for a container without one."""
    check, config = record.config.healthcheck, record.config
    if check is None or not is_checked(record):
        return None
    seconds = config.stop_timeout
    number = parse_signal(config.stop_signal or "TERM")
    return HealthSettings(
        process=spec.exec_process(record, identity, ExecConfig(cmd=_command(record, check.test or []))),
        path=str(files.health),
        interval=check.interval or _INTERVAL,
        timeout=check.timeout or _TIMEOUT,
        start_period=check.start_period,
        start_interval=check.start_interval or _START_INTERVAL,
        retries=check.retries or _RETRIES,
        on_failure=config.healthcheck_on_failure_action or "none",
        # no process ends on another number
        stop_signal=number if is_sent(number) else signal.SIGKILL,
        stop_timeout=DEFAULT_STOP_SECONDS if seconds is None else seconds,
    )


def _command(record: ContainerRecord, test: list[str]) -> list[str]:
    """The command of a probe. A test without a command gets an empty one, which fails at each probe, as with Docker."""
    kind, *words = test
    return [*(record.config.shell or ["/bin/sh", "-c"]), *words] if kind == "CMD-SHELL" else words or [""]
