"""The processes of a container as ``ps`` shows them."""

from __future__ import annotations

import asyncio
import shlex

from moby_tui.engine.kernel.cgroup import open_cgroup
from moby_tui.errors import InvalidArgument, Unavailable
from moby_tui.schema.container import Top


async def top(cgroup: str, ps_args: str) -> Top:
    """Runs the host's ``ps`` and keeps the rows of the processes of a control group, as dockerd does. The pids are those of the host.

    Raises ``InvalidArgument`` for arguments that ps refuses or with which it shows no PID, ``Unavailable`` if the host has no ps.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            "ps", *shlex.split(ps_args), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except FileNotFoundError as error:
        raise Unavailable("top needs the program ps on the host: install procps") from error
    except ValueError as error:
        raise InvalidArgument(f"ps arguments {ps_args}: {error}") from error
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            # the call was cancelled
            process.kill()
            await process.wait()
    if process.returncode:
        raise InvalidArgument(f"ps: {err.decode(errors='replace').strip().splitlines()[0]}")
    lines = out.decode(errors="replace").splitlines()
    titles = lines[0].split()
    if "PID" not in titles:
        raise InvalidArgument("Couldn't find PID field in ps output")
    column = titles.index("PID")
    ours = {str(pid) for pid in open_cgroup(cgroup).pids()}
    rows = [line.split(None, len(titles) - 1) for line in lines[1:]]
    return Top(titles=titles, processes=[row for row in rows if row[column] in ours])
