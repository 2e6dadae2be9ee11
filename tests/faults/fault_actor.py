"""Forks one process for each request and reports how it ended: an engine process that may be killed, made in a few milliseconds.

Each line on standard input is a request: ``{"scenario": name, "data": root, "exec": root, ...}``. What the process says goes to the
file ``result`` of the request; the answer on standard output tells its status, or that it hung. The scenario ``command`` is the command
line ``line`` instead, which writes to the file ``output``.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
import traceback
from typing import Any

from faults import fault_scenarios
from moby_tui.__main__ import main as moby
from moby_tui.engine.kernel import process as processes
from moby_tui.engine.runtime.launcher import spawning

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


def _play(request: dict[str, Any]) -> None:
    """In the new process; never returns."""
    os.setpgid(0, 0)
    processes.set_name("moby-engine")
    if request["scenario"] == "command":
        _command(request)
    if request["scenario"] == "served":
        request["daemon"] = _daemon(request)
    if request.get("start", request["scenario"] != "prune"):
        spawning.prefork(spare=True)
    said: dict[str, object] = {}
    try:
        said = asyncio.run(fault_scenarios.SCENARIOS[request["scenario"]](request))
    except BaseException:
        said = {"wrong": [traceback.format_exc()]}
    with open(request["result"], "w") as file:
        json.dump(said, file)
    os._exit(0)


def _daemon(request: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        processes.set_name("moby-daemon")
        spawning.prefork(spare=True)
        try:
            asyncio.run(fault_scenarios.daemon(request))
        finally:
            os._exit(0)
    return pid


def _command(request: dict[str, Any]) -> None:
    """Never returns."""
    os.environ |= {"MOBY_DATA_ROOT": request["data"], "MOBY_EXEC_ROOT": request["exec"]}
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["moby", *request["line"]]
    moby()


if __name__ == "__main__":
    main()
