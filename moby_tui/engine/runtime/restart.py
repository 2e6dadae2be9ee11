"""Whether, and when, a container that has ended is started again, and the doing of it (light imports: it runs in every monitor).

The policies and the back-off are Docker's (docs: "Start containers automatically"; restart from 100 ms, doubled up to a minute,
from the beginning again after ten seconds of running). All times are taken on the monotonic clock: a set clock changes nothing.
"""

from __future__ import annotations

from moby_tui.engine.kernel import fault, ids
from moby_tui.engine.runtime.failure import StartFailure, say, write_down
from moby_tui.engine.runtime.plan import joining

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.runtime.monitor import Monitor

#: The exit code that a shell gives a command that could not be started, by the kind of the failure.
_EXIT_CODES = {"not_found": 127, "not_invocable": 126}
_FAILED = 128


class Restarts:
    """One container's restarts. ``asked``: ``policy``, ``maximum``, ``count`` (restarts so far) and ``root`` (its mount's recipe)."""

    def __init__(
        self, asked: dict[str, object] | None, *, first: float = 0.1, longest: float = 60.0, steady: float = 10.0
    ) -> None:
        """``first`` and ``longest`` bound the wait, in seconds; after ``steady`` seconds of running it begins anew."""
        asked = asked or {}
        self.policy = str(asked.get("policy", "no"))
        self.maximum = int(str(asked.get("maximum", 0)))
        self.count = int(str(asked.get("count", 0)))
        self.root = asked.get("root")
        #: stopped, by hand or because the daemon ends: it is not started again, whatever the policy
        self.cancelled = False
        #: to be started again whatever the policy: it was unhealthy
        self.demanded = False
        #: how long to wait before the restart that ``decide`` asked for, in seconds
        self.delay = 0.0
        self._first, self._longest, self._steady = first, longest, steady

    def change(self, asked: dict[str, object]) -> None:
        """Another policy, from now on; ``asked`` as for a new object. The restarts so far still count."""
        self.policy, self.maximum, self.root = str(asked["policy"]), int(str(asked["maximum"])), asked["root"]

    def decide(self, code: int, ran: float) -> bool:
        """Whether a container that ended with ``code`` after ``ran`` seconds is started again; ``delay`` then says when."""
        if self.cancelled or not (self.demanded or self._by_policy(code)):
            return False
        begun = ran >= self._steady or not self.delay
        self.delay = self._first if begun else min(self.delay * 2, self._longest)
        self.count += 1
        self.demanded = False
        return True

    def _by_policy(self, code: int) -> bool:
        if self.policy == "on-failure":
            return code != 0 and (not self.maximum or self.count < self.maximum)
        return self.policy in ("always", "unless-stopped")


def again(monitor: Monitor) -> bool:
    """Waits as long as it was decided, then makes the container anew; False where it was stopped meanwhile, or does not start.

    It keeps its network, its ports and its log; its root is mounted anew and its control group made anew.
    """
    restarts, run = monitor.restarts, monitor.run
    monitor.end_run()
    fault.point("restart.run put away")
    if monitor.loop.run_until(lambda: restarts.cancelled, restarts.delay):
        return False
    try:
        run.root = mount_root(restarts.root, run.joined.get("user", -1), *joining.id_maps(run.spec))
        fault.point("restart.root mounted")
        monitor.make()
    except (OSError, ValueError) as error:
        _give_up(monitor, _FAILED, say(error))
        return False
    except StartFailure as failure:
        _give_up(monitor, _EXIT_CODES.get(failure.kind, _FAILED), failure.message)
        return False
    return True


def mount_root(recipe: object, user_namespace: int, uids: ids.IdMap, gids: ids.IdMap) -> int:
    """The container's root as it was at its first start. ``recipe``: ``layers``, top-most first, ``upper`` and ``work``; the maps are
    those of ``user_namespace``."""
    # few containers come here
    from moby_tui.engine.kernel import overlay

    if not isinstance(recipe, dict):
        raise ValueError("the order does not say what to mount; start the container again")
    layers, writable = [str(layer) for layer in recipe["layers"]], (str(recipe["upper"]), str(recipe["work"]))
    if ids.is_identity(uids) and ids.is_identity(gids):
        return overlay.mount(layers, writable)
    owner = ids.to_host(uids, ids.first(uids)), ids.to_host(gids, ids.first(gids))
    return overlay.mount_mapped(layers, writable, user_namespace, owner)


def _give_up(monitor: Monitor, code: int, reason: str) -> None:
    """As Docker: what does not start is not tried again."""
    monitor.run.give_up()
    monitor.end_run()
    state = monitor.standing.state
    state.status, state.pid, state.exit_code, state.error = "exited", 0, code, reason
    try:
        monitor.standing.write()
    except OSError as error:
        write_down(monitor.order.data, error)


def adopt(monitor: Monitor) -> None:
    """A stop was asked for: what is running is not started again, what waits for its restart has ended."""
    monitor.restarts.cancelled = True
    state = monitor.standing.state
    if state.status == "restarting" and not state.pid:
        state.status = "exited"
    if monitor.restarts.policy != "no":
        # a machine that goes down before the end is not to start it again
        monitor.standing.write()
