"""Which capabilities come out of what is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.kernel.capability import NUMBERS
from moby_tui.engine.policy.capabilities import DEFAULT, held, resolve
from moby_tui.errors import InvalidArgument

ALL = frozenset(NUMBERS)
names = st.lists(st.sampled_from([*sorted(NUMBERS), "ALL"]), max_size=6)


def granted(add: list[str] | None = None, drop: list[str] | None = None, *, privileged: bool = False) -> set[str]:
    return set(resolve(add, drop, privileged=privileged, available=ALL).granted)


def test_dockers_fourteen() -> None:
    assert granted() == DEFAULT and len(DEFAULT) == 14
    assert not DEFAULT & {"CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE", "CAP_DAC_READ_SEARCH"}


@pytest.mark.parametrize("text", ["NET_ADMIN", "net_admin", "CAP_NET_ADMIN", "cap_Net_Admin"])
def test_names_in_any_spelling(text: str) -> None:
    assert granted([text]) == DEFAULT | {"CAP_NET_ADMIN"}


def test_all_and_nothing() -> None:
    assert granted(["all"]) == ALL
    assert granted(None, ["ALL"]) == set()
    assert granted(["ALL"], ["CAP_SYS_ADMIN"]) == ALL - {"CAP_SYS_ADMIN"}
    assert granted(["CHOWN"], ["ALL"]) == {"CAP_CHOWN"}
    assert granted(None, ["chown"]) == DEFAULT - {"CAP_CHOWN"}
    assert granted(None, ["ALL"], privileged=True) == ALL


@pytest.mark.parametrize("text", ["", "CAP_", "SUDO", "CAP_CAP_CHOWN", "chown,kill"])
def test_no_such_capability(text: str) -> None:
    with pytest.raises(InvalidArgument, match="unknown capability"):
        resolve([text], None, privileged=False)
    with pytest.raises(InvalidArgument, match="CapDrop"):
        resolve(None, [text], privileged=True)


def test_what_the_engine_lacks_is_told_only_when_asked_for() -> None:
    poor = ALL - {"CAP_SYS_RESOURCE", "CAP_MKNOD"}
    assert resolve(None, None, privileged=False, available=poor).missing == []
    assert resolve(["SYS_RESOURCE"], None, privileged=False, available=poor).missing == ["CAP_SYS_RESOURCE"]
    assert resolve(None, None, privileged=True, available=poor).missing == ["CAP_SYS_RESOURCE", "CAP_MKNOD"]


@given(names, names, st.sets(st.sampled_from(sorted(NUMBERS))), st.booleans())
def test_never_more_than_the_engine_holds_and_in_order(add: list[str], drop: list[str], here: set[str], privileged: bool) -> None:
    result = resolve(add, drop, privileged=privileged, available=frozenset(here))
    assert set(result.granted) <= here and not set(result.missing) & here
    assert result.granted == sorted(result.granted, key=NUMBERS.__getitem__)


def test_this_process_holds_something() -> None:
    assert "CAP_SYS_ADMIN" in held()
