"""Records of a container's network that are no records, or another version's: what they do not tell is not done, and the others are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from moby_tui.engine.protocol.message import MalformedMessage
from moby_tui.engine.protocol.network import SandboxRecord, TeardownStep
from moby_tui.engine.resources.networks.sandbox import Folders
from moby_tui.errors import Conflict
from protocol.messages import spoiled

_RECORD = SandboxRecord(
    teardown=[TeardownStep(netlink=0, data="00ff"), TeardownStep(unlink="/a"), TeardownStep(rmdir="/b"), TeardownStep(close=1)],
    published={"4": "00ff"},
)


@given(spoiled(_RECORD.values()))
def test_a_record_is_read_or_refused(values: object) -> None:
    try:
        record = SandboxRecord.from_values(values)
    except MalformedMessage as error:
        assert "\n" not in str(error)
        return
    assert SandboxRecord.decode(record.encode()) == record


def test_a_record_of_an_earlier_version_is_undone_and_a_damaged_one_goes(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.touch()
    records = {
        # as moby wrote them before they were a class
        "earlier": json.dumps({"teardown": [{"unlink": str(gone)}], "published": {}}),
        "torn": '{"teardown": [{"unl',
        "empty": "",
        "list": "[]",
        "wrong": json.dumps({"teardown": [{"unlink": 1}]}),
        "both": json.dumps({"teardown": [{"unlink": str(tmp_path), "rmdir": str(tmp_path)}]}),
        "negative": json.dumps({"teardown": [{"close": -1}]}),
    }
    for name, text in records.items():
        path = tmp_path / "sandboxes/container" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folders = Folders(tmp_path)
    assert folders.published() == {}
    assert not gone.exists()
    assert not (tmp_path / "sandboxes/container").exists()


def test_a_record_of_a_later_version_is_left_to_that_one(tmp_path: Path) -> None:
    path = tmp_path / "sandboxes/container/ports"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"version": 2, "teardown": []}))
    folders = Folders(tmp_path)
    assert folders.published() == {}
    with pytest.raises(Conflict, match="version 2 was written by a later moby"):
        folders.claim("container", "ports")
    assert path.exists()
