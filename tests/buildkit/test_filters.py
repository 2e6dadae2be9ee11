"""Filters of cache entries and of builds, as BuildKit reads them (containerd's language; solver/llbsolver/history/filter.go)."""

from __future__ import annotations

import time

import pytest

from moby_tui.api.buildkit.control.filters import any_of, any_of_builds
from moby_tui.errors import InvalidArgument

RECORD = {"id": "abc123", "type": "regular", "private": "", "description": 'COPY "a", b'}


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        ([], True),
        ([""], True),
        (["id==abc123"], True),
        (["id==abc"], False),
        (["id~=abc"], True),
        (["id~=^bc"], False),
        (["id~=^a.*3$"], True),
        (["type!=regular"], False),
        (["type!=frontend"], True),
        (["nosuch!=x"], True),
        (["nosuch==x"], False),
        (["private"], True),
        (["shared"], False),
        (["type==regular,private"], True),
        (["type==regular,shared"], False),
        (["shared", "private"], True),
        (['description=="COPY \\"a\\", b",private'], True),
        (["description~=COPY"], True),
    ],
)
def test_a_record_is_matched(filters: list[str], matches: bool) -> None:
    assert any_of(filters)(RECORD.get) == matches


@pytest.mark.parametrize("text", ["==x", "id==a b,,", 'id=="open', "id=x", "id>3", ",", "id~~x"])
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid filter"):
        any_of([text])


def test_expressions_are_those_of_go_and_take_no_time() -> None:
    assert any_of(["description~=(a+)+$"])({"description": "a" * 500 + "!"}.get) is False
    assert any_of(["description~=^(COPY|ADD) "])(RECORD.get)
    with pytest.raises(InvalidArgument, match="invalid filter: no regular expression"):
        any_of(["id~=(?=a)"])


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        (["duration>1s"], True),
        (["duration<=1.5s"], False),
        (["duration>1m30s"], False),
        (["startedAt>2h"], True),
        (["startedAt>30m"], False),
        (["startedAt<2999-01-01T00:00:00Z"], True),
        (["status==completed,duration>=2s"], True),
        (["status==error,duration>=2s"], False),
        (["status==error", "completedAt>1h"], True),
    ],
)
def test_builds_are_compared_by_their_times(filters: list[str], matches: bool) -> None:
    begun = time.time() - 3600
    numbers = {"startedAt": begun, "completedAt": begun + 2, "duration": 2.0}
    wanted = any_of_builds(filters, ("ref", "status"))
    assert wanted({"ref": "x", "status": "completed"}.get, numbers.__getitem__) == matches


@pytest.mark.parametrize("text", ["duration>soon", "startedAt<yesterday", "size>3", "duration==1s,x>1", 'ref=="a'])
def test_comparisons_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid filter"):
        any_of_builds([text], ("ref", "status"))
