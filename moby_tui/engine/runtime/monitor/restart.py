"""Restarts a container by its policy, in its monitor (light imports: it runs in every monitor)."""

from __future__ import annotations

from moby_tui.engine.kernel import fault, ids
from moby_tui.engine.protocol.order import RootMount
from moby_tui.engine.runtime.birth.failure import StartFailure, say, write_down
from moby_tui.engine.runtime.plan.process import joining

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.runtime.monitor.monitor import Monitor

#: The exit code that a shell gives a command that could not be started, by the kind of the failure.
_EXIT_CODES = {"not_found": 127, "not_invocable": 126}
_FAILED = 128


def again(monitor: Monitor) -> bool:
    """Waits for the delay, then starts the container again. False if it was stopped meanwhile, or does not start.

    It keeps its network, its ports and its log; its root is mounted anew and its control group made anew.
    """
    restarts, run = monitor.restarts, monitor.run
    monitor.end_run()
    fault.point("restart.run put away")
    if monitor.loop.run_until(lambda: restarts.cancelled, restarts.delay):
        return False
    try:
        run.root = mount_root(monitor.order.root, run.joined.get("user", -1), *joining.id_maps(run.spec))
        fault.point("restart.root mounted")
        monitor.make()
    except (OSError, ValueError) as error:
        _give_up(monitor, _FAILED, say(error))
        return False
    except StartFailure as failure:
        _give_up(monitor, _EXIT_CODES.get(failure.kind, _FAILED), failure.message)
        return False
    return True


def mount_root(recipe: RootMount | None, user_namespace: int, uids: ids.IdMap, gids: ids.IdMap) -> int:
    """The container's root as it was at its first start. The maps are those of ``user_namespace``. Raises ``OSError``, and ``ValueError``
    if there is no recipe."""
    # imported here, since few containers restart
    from moby_tui.engine.kernel import overlay

    if recipe is None:
        raise ValueError("the order does not say what to mount; start the container again")
    layers, writable = recipe.layers, (recipe.upper, recipe.work)
    if ids.is_identity(uids) and ids.is_identity(gids):
        return overlay.mount(layers, writable)
    owner = ids.to_host(uids, ids.first(uids)), ids.to_host(gids, ids.first(gids))
    return overlay.mount_mapped(layers, writable, user_namespace, owner)


def _give_up(monitor: Monitor, code: int, reason: str) -> None:
    """A restart that fails is not tried again, as in Docker."""
    monitor.run.give_up()
    monitor.end_run()
    state = monitor.standing.state
    state.status, state.pid, state.exit_code, state.error = "exited", 0, code, reason
    try:
        monitor.standing.write()
    except OSError as error:
        write_down(monitor.order.paths.data, error)


def adopt(monitor: Monitor) -> None:
    """Applies a stop: a running container will not restart, and one that waits for its restart ends."""
    monitor.restarts.cancelled = True
    state = monitor.standing.state
    if state.status == "restarting" and not state.pid:
        state.status = "exited"
    if monitor.restarts.policy != "no":
        # written now: if the machine goes down before the end, the daemon must not start it again
        monitor.standing.write()
