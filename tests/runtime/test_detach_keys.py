"""The keys that detach a client from a terminal, in input that comes in any pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.runtime.monitor.peer import DetachKeys

FEW = st.binary(max_size=12).map(lambda data: bytes(byte % 3 for byte in data))


def byte_by_byte(keys: bytes, data: bytes) -> tuple[bytes, bool]:
    passed, matched = b"", 0
    for byte in data:
        if byte != keys[matched]:
            passed, matched = passed + keys[:matched], 0
        if byte == keys[matched]:
            matched += 1
        else:
            passed += bytes([byte])
        if matched == len(keys):
            return passed, True
    return passed, False


@given(keys=FEW.filter(bool), pieces=st.lists(FEW))
def test_what_is_passed_on_does_not_depend_on_the_pieces(keys: bytes, pieces: list[bytes]) -> None:
    looked_for, passed = DetachKeys(keys), b""
    for piece in pieces:
        if not looked_for.typed:
            passed += looked_for.read(piece)
    assert (passed, looked_for.typed) == byte_by_byte(keys, b"".join(pieces))
