"""Decides whether and when a container that has ended is started again (light imports: it runs in every monitor).

The policies and the back-off are Docker's (docs: "Start containers automatically"; restart from 100 ms, doubled up to a minute,
from the beginning again after ten seconds of running). All times are taken on the monotonic clock: a set clock changes nothing.
"""

from __future__ import annotations

from moby_tui.engine.protocol.order import RestartPolicy


class Restarts:
    """One container's restarts; none where ``policy`` is None."""

    def __init__(self, policy: RestartPolicy | None, *, first: float = 0.1, longest: float = 60.0, steady: float = 10.0) -> None:
        """``first`` and ``longest`` bound the wait, in seconds; after ``steady`` seconds of running it begins anew."""
        policy = policy or RestartPolicy()
        self.policy, self.maximum, self.count = policy.policy, policy.maximum, policy.count
        #: stopped by hand or by the end of a daemon: no restart, whatever the policy
        self.cancelled = False
        #: was unhealthy: restart, whatever the policy
        self.demanded = False
        #: somebody asks for it: as a start by hand it is not counted, nor waited for
        self.wanted = False
        #: how long to wait before the restart that ``decide`` asked for, in seconds
        self.delay = 0.0
        self._first, self._longest, self._steady = first, longest, steady

    def change(self, policy: str, maximum: int) -> None:
        """Changes the policy. The restarts so far still count."""
        self.policy, self.maximum = policy, maximum

    def decide(self, code: int, ran: float) -> bool:
        """Whether a container that ended with ``code`` after ``ran`` seconds is started again; ``delay`` then says when."""
        if self.wanted and not self.cancelled:
            self.wanted, self.count, self.delay = False, 0, 0.0
            return True
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
