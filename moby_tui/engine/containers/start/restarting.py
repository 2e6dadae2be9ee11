"""Restart policies, as the engine sees them: what a monitor is told, a change of policy, and who is due to be started by an engine.

Restarts are the monitor's (``runtime/monitor/restart.py``), whether or not any engine lives. An engine starts a container again only
where its monitor was killed, and, as a daemon that begins, where the machine or a daemon went down with it (``resuming.py``).
"""

from __future__ import annotations

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.protocol import order as order_protocol
from moby_tui.engine.protocol.control import ChangePolicy
from moby_tui.engine.store.records.containers import ContainerRecord, RestartPolicy
from moby_tui.engine.store.state import ZERO_TIME, State
from moby_tui.errors import Conflict


def order(record: ContainerRecord, count: int) -> order_protocol.RestartPolicy | None:
    """The restart policy in the monitor's order; None for a container that its monitor never starts again."""
    policy = record.host_config.restart_policy
    if policy.name in ("", "no") and record.config.healthcheck_on_failure_action != "restart":
        return None
    return _policy_of(policy, count)


def _policy_of(policy: RestartPolicy, count: int) -> order_protocol.RestartPolicy:
    return order_protocol.RestartPolicy(policy=policy.name or "no", maximum=policy.maximum_retry_count, count=count)


def root(parts: Parts, record: ContainerRecord) -> order_protocol.RootMount:
    """The mount by which a monitor makes the root again."""
    files, layers = parts.files(record), [str(layer) for layer in parts.layers(record)]
    return order_protocol.RootMount(layers=layers, upper=str(files.upper), work=str(files.work))


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
    """Whether an engine is to start a container that has ended without its monitor's decision.

    As in Docker, a daemon that begins starts one with ``always`` even if it had been stopped by hand.
    """
    policy = record.host_config.restart_policy
    if state.alive or state.started_at == ZERO_TIME:
        return False
    if state.stopped and not (at_boot and policy.name == "always"):
        return False
    from moby_tui.engine.runtime.monitor.restart_policy import Restarts

    return Restarts(_policy_of(policy, state.restart_count)).decide(state.exit_code, 0.0)
