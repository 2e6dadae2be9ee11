"""Health checks, as the engine sees them: what a monitor is told to do, and what it says (the probing is ``runtime/monitor/health.py``)."""

from __future__ import annotations

import msgspec

from moby_tui.engine.containers.ending import DEFAULT_STOP_SECONDS, parse_signal
from moby_tui.engine.runtime.configuration import spec
from moby_tui.engine.store.containers import ContainerRecord
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.schema.container import ContainerCreate, ExecCreate, Health, HealthConfig

_SECOND = 1_000_000_000
_INTERVAL, _TIMEOUT, _START_INTERVAL = 30 * _SECOND, 30 * _SECOND, 5 * _SECOND
_RETRIES = 3
#: How a client that has no option for it asks for ``--health-on-failure``: with an annotation of this name.
ON_FAILURE = "moby.health-on-failure"
_decoder = msgspec.json.Decoder(Health)


def merge(asked: HealthConfig | None, preset: HealthConfig | None) -> HealthConfig | None:
    """What is asked for wins over the image's check, setting by setting."""
    if asked is None or preset is None:
        return asked or preset
    values = {name: getattr(asked, name) or getattr(preset, name) for name in HealthConfig.__struct_fields__}
    return HealthConfig(**values)


def on_failure(asked: ContainerCreate) -> str | msgspec.UnsetType:
    """What is to be done to the container when it is unhealthy; unset where nobody has said."""
    return asked.healthcheck_on_failure_action or (asked.host_config.annotations or {}).get(ON_FAILURE) or msgspec.UNSET


def is_checked(record: ContainerRecord) -> bool:
    """As with Docker a test of a kind that there is not is none."""
    check = record.config.healthcheck
    return bool(check and check.test and check.test[0] in ("CMD", "CMD-SHELL"))


def order(record: ContainerRecord, identity: spec.Identity, files: ContainerPaths) -> dict[str, object] | None:
    """For ``Order.health``; None for a container without a check."""
    check, config = record.config.healthcheck, record.config
    if check is None or not is_checked(record):
        return None
    seconds = config.stop_timeout
    return {
        "process": spec.exec_process(record, identity, ExecCreate(cmd=_command(record, check.test or []))),
        "path": str(files.health),
        "interval": check.interval or _INTERVAL,
        "timeout": check.timeout or _TIMEOUT,
        "start_period": check.start_period,
        "start_interval": check.start_interval or _START_INTERVAL,
        "retries": check.retries or _RETRIES,
        "on_failure": config.healthcheck_on_failure_action or "none",
        "stop_signal": parse_signal(config.stop_signal or "TERM"),
        "stop_timeout": DEFAULT_STOP_SECONDS if seconds is None else seconds,
    }


def _command(record: ContainerRecord, test: list[str]) -> list[str]:
    """One without a command fails at each probe, as Docker's does."""
    kind, *words = test
    return [*(record.config.shell or ["/bin/sh", "-c"]), *words] if kind == "CMD-SHELL" else words or [""]


def read(record: ContainerRecord, files: ContainerPaths) -> Health | None:
    """What the monitor has found so far; None where nothing is checked, or nothing has been yet."""
    if not is_checked(record):
        return None
    try:
        return _decoder.decode(files.health.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        # none yet, or what a disk made of it: the next probe replaces it
        return None


def status(record: ContainerRecord, files: ContainerPaths) -> str:
    """``starting``, ``healthy``, ``unhealthy`` or ``none``."""
    found = read(record, files)
    return found.status if found else "none"
