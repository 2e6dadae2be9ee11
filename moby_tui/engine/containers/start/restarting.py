"""The engine's part in restart policies: the policy in the order to a monitor, changes of it, and the containers that an engine starts again.

The monitor restarts its container (``runtime/monitor/restart.py``), whether or not an engine is open. An engine starts a container again
only if the container's monitor was killed; a daemon that begins also if the container ended with the machine or with the last daemon
(``resuming.py``).
"""

from __future__ import annotations

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.protocol import order as order_protocol
from moby_tui.engine.protocol.control import ChangePolicy
from moby_tui.engine.store.records.containers import ContainerRecord, RestartPolicy
from moby_tui.engine.store.state import ZERO_TIME, State
from moby_tui.errors import Conflict


def order(record: ContainerRecord, count: int) -> order_protocol.RestartPolicy:
    """The restart policy in the monitor's order."""
    return _policy_of(record.host_config.restart_policy, count)


def _policy_of(policy: RestartPolicy, count: int) -> order_protocol.RestartPolicy:
    return order_protocol.RestartPolicy(policy=policy.name or "no", maximum=policy.maximum_retry_count, count=count)


async def change_policy(parts: Parts, record: ContainerRecord, policy: RestartPolicy) -> None:
    """Stores another restart policy (``docker update --restart``), and sends it to the monitor of a running container.

    The caller has checked the policy. Raises ``Conflict`` for a container with ``--rm``.
    """
    if record.host_config.auto_remove and policy.name not in ("", "no"):
        raise Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
    record.host_config.restart_policy = policy
    parts.store.update(record)
    state = parts.state(record)
    if state.alive and not parts.is_orphan(record, state):
        await parts.request(record, ChangePolicy(policy=policy.name or "no", maximum=policy.maximum_retry_count))


def is_due(record: ContainerRecord, state: State, *, at_boot: bool) -> bool:
    """True if an engine has to start a container that ended while it had no monitor.

    ``at_boot`` is true for a daemon that begins: as in Docker, that starts a container with the policy ``always`` even if a user has
    stopped it.
    """
    policy = record.host_config.restart_policy
    if state.alive or state.started_at == ZERO_TIME:
        return False
    if state.stopped and not (at_boot and policy.name == "always"):
        return False
    from moby_tui.engine.runtime.monitor.restart_policy import Restarts

    return Restarts(_policy_of(policy, state.restart_count)).decide(state.exit_code, 0.0)
