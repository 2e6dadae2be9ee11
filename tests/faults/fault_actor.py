"""Forks one process for each request and reports how it ended: an engine process that may be killed, made in a few milliseconds.

Each line on standard input is a request: ``{"scenario": name, "data": root, "exec": root, ...}``. What the process says goes to the
file ``result`` of the request; the answer on standard output tells its status, or that it hung.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
import traceback

import fault_scenarios

from moby_tui.engine.kernel import process as processes
from moby_tui.engine.runtime import launcher

#: No scenario takes a tenth of it; one that does is stuck.
PATIENCE = 40.0


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _play(request)
        print(json.dumps(_await(pid)), flush=True)


def _await(pid: int) -> dict[str, object]:
    pidfd = os.pidfd_open(pid)
    hung = not select.select([pidfd], [], [], PATIENCE)[0]
    if hung:
        os.kill(pid, signal.SIGKILL)
    os.close(pidfd)
    status = os.waitpid(pid, 0)[1]
    return {"hung": hung, "killed": os.WIFSIGNALED(status), "status": os.waitstatus_to_exitcode(status)}


def _play(request: dict[str, str]) -> None:
    """In the new process; never returns."""
    os.setpgid(0, 0)
    processes.set_name("moby-engine")
    launcher.prefork(spare=True)
    said: dict[str, object] = {}
    try:
        said = asyncio.run(fault_scenarios.SCENARIOS[request["scenario"]](request))
    except BaseException:
        said = {"wrong": [traceback.format_exc()]}
    with open(request["result"], "w") as file:
        json.dump(said, file)
    os._exit(0)


if __name__ == "__main__":
    main()
