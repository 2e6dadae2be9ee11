"""The daemon against its own description: requests that schemathesis makes of /moby/openapi.json, sound ones and unsound ones.

Only operations are called that ask no registry and have an answer with an end. None may be answered with 500 or hang, the status of each
answer must be one that the description has, and its JSON must fit the description.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

#: Streams that go on, and questions to registries.
LEFT_OUT = (
    "/events",
    "/stats",
    "/attach/ws",
    "/search",
    "/distribution/",
    "/registry/",
    "/verify",
    "/attestations",
    "/referrers",
)
#: Bodies that are archives, and operations that build, run or commit, or last until a container ends.
ALSO_LEFT_OUT = (
    "/archive",
    "/images/load",
    "/images/create",
    "/build",
    "/commit",
    "/start",
    "/attach",
    "/wait",
    "/push",
    "/auth",
    "/session",
    "/grpc",
)
EXAMPLES = 10
EXAMPLES_OF_CHANGES = 3
SECONDS = 20


@pytest.fixture
def daemon(roots: tuple[Path, Path], tmp_path: Path) -> Iterator[str]:
    """A real daemon with a container ``web`` that does not run, and an image, a network and a volume of this name; its address."""
    folder = tmp_path
    environment = {**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1]), "HOME": str(folder)}
    command = [sys.executable, "-m", "moby_tui", "daemon", "-H", "tcp://127.0.0.1:0"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = line.split()[-1].replace("tcp://", "http://")
        for answer in furnish(address, folder):
            answer.raise_for_status()
        yield address
    finally:
        process.terminate()
        process.wait()


def furnish(address: str, folder: Path) -> Iterator[requests.Response]:
    """Makes the image, the container, the network and the volume, as far as they are gone."""
    with tarfile.open(folder / "image.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    with open(folder / "image.tar", "rb") as archive_file:
        yield requests.post(f"{address}/images/create?fromSrc=-&repo=web", data=archive_file, timeout=SECONDS)
    settled: dict[str, Any] = {"Image": "web", "Cmd": ["/x"], "HostConfig": {"NetworkMode": "none"}}
    named: dict[str, Any] = {"Name": "web"}
    for path, body in (("containers/create?name=web", settled), ("networks/create", named), ("volumes/create", named)):
        yield requests.post(f"{address}/{path}", json=body, timeout=SECONDS)


def operations_of(document: dict[str, Any]) -> list[Any]:
    schema = schemathesis.openapi.from_dict(document)
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) == sum(len(methods) for methods in document["paths"].values())
    return operations


def test_no_question_is_answered_with_500(daemon: str) -> None:
    document: dict[str, Any] = requests.get(f"{daemon}/moby/openapi.json", timeout=SECONDS).json()
    questions = [
        one
        for one in operations_of(document)
        if one.method.upper() in ("GET", "HEAD") and not any(part in one.path for part in LEFT_OUT)
    ]
    assert len(questions) > 30
    wrong: set[str] = set()
    for operation in questions:
        statuses = document["paths"][operation.path][operation.method]["responses"]
        ask_many(operation, daemon, statuses, wrong, EXAMPLES)
    assert not wrong, "\n".join(sorted(wrong))


def test_no_change_is_answered_with_500(daemon: str, tmp_path: Path) -> None:
    document: dict[str, Any] = requests.get(f"{daemon}/moby/openapi.json", timeout=SECONDS).json()
    left_out = (*LEFT_OUT, *ALSO_LEFT_OUT)
    changes = [
        one
        for one in operations_of(document)
        if one.method.upper() in ("POST", "PUT", "DELETE") and not any(part in one.path for part in left_out)
    ]
    assert len(changes) > 30
    wrong: set[str] = set()
    for operation in changes:
        statuses = document["paths"][operation.path][operation.method]["responses"]
        ask_many(operation, daemon, statuses, wrong, EXAMPLES_OF_CHANGES)
        for _ in furnish(daemon, tmp_path):
            pass
    assert not wrong, "\n".join(sorted(wrong))


def ask_many(operation: Any, daemon: str, statuses: Collection[str], wrong: set[str], examples: int) -> None:
    """Asks of what there is, and of anything. Notes what must not be answered so."""
    known = dict.fromkeys(re.findall(r"{(\w+)}", operation.path), "web")
    modes = schemathesis.GenerationMode
    sound, unsound = (operation.as_strategy(generation_mode=mode) for mode in (modes.POSITIVE, modes.NEGATIVE))
    strategy = st.one_of(operation.as_strategy(path_parameters=known), sound, unsound) if known else st.one_of(sound, unsound)

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def ask(case: Any) -> None:
        response = case.call(base_url=daemon, timeout=SECONDS)
        if str(response.status_code) not in statuses or response.status_code == 500:
            wrong.add(f"{response.status_code} {case.as_curl_command()}: {response.text[:200]}")
        # without changes it is null, as dockerd's is
        elif (
            response.status_code == 200
            and operation.method == "get"
            and not operation.path.endswith("/changes")
            and not operation.is_valid_response(response)
        ):
            wrong.add(f"{case.as_curl_command()}: does not fit its schema: {response.text[:200]}")

    ask()
