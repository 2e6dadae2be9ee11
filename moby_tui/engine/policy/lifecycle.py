"""Checks the restart policy and the health check of a request. The error texts are the Docker Engine's where it has one."""

from __future__ import annotations

import msgspec

from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import ContainerCreate, RestartPolicy

_LEAST_NANOSECONDS = 1_000_000
#: The values of Podman's ``--health-on-failure``.
_ACTIONS = ("none", "kill", "restart", "stop")
#: The annotation by which a client without that option asks for it.
HEALTH_ON_FAILURE = "moby.health-on-failure"


def check_restart(policy: RestartPolicy, *, auto_remove: bool) -> None:
    """Raises ``InvalidArgument``."""
    name, count = policy.name, policy.maximum_retry_count
    if name not in ("", "no", "always", "on-failure", "unless-stopped"):
        raise InvalidArgument(
            f"invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if name == "on-failure" and count < 0:
        raise InvalidArgument("invalid restart policy: maximum retry count cannot be negative")
    if name != "on-failure" and count:
        negative = " and cannot be negative" if count < 0 else ""
        raise InvalidArgument(f"invalid restart policy: maximum retry count can only be used with 'on-failure'{negative}")
    if auto_remove and name not in ("", "no"):
        raise InvalidArgument("can't create 'AutoRemove' container with restart policy")


def on_failure(asked: ContainerCreate) -> str | msgspec.UnsetType:
    """What is to be done to the container when it is unhealthy: one of ``_ACTIONS`` if the request is valid; unset if it does not say."""
    return asked.healthcheck_on_failure_action or (asked.host_config.annotations or {}).get(HEALTH_ON_FAILURE) or msgspec.UNSET


def check_health(asked: ContainerCreate) -> None:
    """Raises ``InvalidArgument``."""
    check = asked.healthcheck
    action = on_failure(asked) or "none"
    if action not in _ACTIONS:
        raise InvalidArgument(f"invalid action {action!r} for an unhealthy container: use none, kill, restart or stop")
    if action == "restart" and asked.host_config.auto_remove:
        raise InvalidArgument("a container that is restarted when it is unhealthy cannot be removed when it exits")
    if check is None:
        return
    for name, value in (
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ):
        if value and value < _LEAST_NANOSECONDS:
            raise InvalidArgument(f"{name} in Healthcheck cannot be less than 1ms")
    if check.retries < 0:
        raise InvalidArgument("Retries in Healthcheck cannot be negative")
