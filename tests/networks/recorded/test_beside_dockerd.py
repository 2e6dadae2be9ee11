"""The same steps as dockerd 28.5.2 (API 1.51) took: each answer, field by field, as it is recorded in ``dockerd_28_5*.json``."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from networks.recorded import dockerd_steps

#: Where this engine means to answer otherwise, and why.
OTHERWISE = {
    "container baddns": "what can never start is refused when it is made",
    "start baddns": "it was refused",
    "container baddns goes": "it was refused",
    "create a long bridge name": "the user's mistake is no failure of the server",
    "create isolated but not internal": "the user's mistake is no failure of the server",
    'list {"type": ["odd"]}': "the user's mistake is no failure of the server",
    "create driver overlay": "there are no clusters here",
    "create named 'container:x'": "no container could be put into it",
    "connect at a wrong hardware address": "the line says how to write one",
    "container noport": "the line says how to write one",
    "container toobig": "the line says what can be",
    **{
        f"{step} star": "dockerd publishes on all addresses what names no address"
        for step in ("container", "start", "ports of", "row of")
    },
    **{f"{step} scoped": "as above" for step in ("start", "ports of", "row of")},
    "start bracketed": "as above",
    "ports of only-four": "dockerd leaves out what its proxy could forward; here it is",
    "row of only-four": "as above",
    "row of within": "what is exposed is shown also where nothing can be published",
    **{f"start {name}": "the line says which port" for name in ("range", "full-range", "same-twice", "both-and-four")},
    **{f"start {name}": "the same in other words" for name in ("elsewhere", "elsewhere-four", "taken-one")},
    "start stream": "the line says what to do",
    "container toomany": "the user's mistake is no failure of the server",
    "container empty": "the user's mistake is no failure of the server",
    "connect with a bad link": "the user's mistake is no failure of the server",
    "remove a link that is none": "the user's mistake is no failure of the server",
    "container noalias": "dockerd ignores a link without an alias",
    "start noalias": "it was refused",
    "container noname": "the line says how to write one",
    "container n-bad": "what can never start is refused when it is made",
    "start n-bad": "it was refused",
    "links of n-host-only": "dockerd ignores links of the whole container on a user's network; here they are those of its first network",
    "exec n-host-only: nslookup -type=a db 127.0.0.11 2>&1 | tail -n +4": "as above",
    "exec slashes: sed 's/172[0-9.]*/ADDRESS/' /etc/hosts": "the linked container is there by the name that it has by now",
    "links of plain to nobody": "of a linked container that is gone only the id is known",
    "restart what linked to it": "as above",
    "inspect verbose no boolean": "the line says what is expected, not which function failed",
    "prune until nothing": "the line says how to write one",
    "connect aa orphan": "a network that the container has left does not keep it from others",
    "exec orphan: ip -4 -o addr | awk '{print $2, $4}' | sort # in another one": "as above",
    "create IPv4 written as IPv6": "the line says what to do",
    "exec two: nslookup one 127.0.0.11 2>&1 | tail -n +4": "the addresses of all networks that both are in, not of one of them",
}


@pytest.mark.parametrize("group", dockerd_steps.GROUPS)
async def test_every_answer_is_dockerds(group: Any, served_engine: Path) -> None:
    steps, path = dockerd_steps.GROUPS[group]
    recorded = json.loads(path.read_text())
    answers = json.loads(json.dumps(await asyncio.to_thread(dockerd_steps.take, served_engine, steps)))
    if output := os.environ.get("MOBY_ANSWERS"):
        Path(output).write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")
    different = {
        name: {"dockerd": recorded[name], "moby": answer}
        for name, answer in answers.items()
        if recorded[name] != answer and name not in OTHERWISE
    }
    assert different == {}
