"""The device program, run in a small interpreter of its instructions."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.engine.kernel.bpf import compile_rules

LETTERS = {"m": 1, "r": 2, "w": 4}
Rule = dict[str, object]


def run(program: bytes, kind: int, access: int, major: int, minor: int) -> int:
    context = struct.pack("<III", access << 16 | kind, major, minor)
    registers, at = [0] * 11, 0
    while True:
        code, both, offset, value = struct.unpack_from("<BBhi", program, at * 8)
        target, source = both & 15, both >> 4
        at += 1
        match code:
            case 0x61:
                registers[target] = struct.unpack_from("<I", context, offset)[0]
            case 0xB4:
                registers[target] = value
            case 0xBC:
                registers[target] = registers[source]
            case 0x54:
                registers[target] &= value
            case 0x74:
                registers[target] >>= value
            case 0x55:
                at += offset if registers[target] != value else 0
            case 0x15:
                at += offset if registers[target] == value else 0
            case 0x95:
                return registers[0]
            case _:
                raise AssertionError(hex(code))


def meant(rules: list[Rule], kind: int, access: int, major: int, minor: int) -> int:
    for rule in reversed(rules):
        if rule["type"] == "a":
            return int(bool(rule["allow"]))
        named = sum(LETTERS[letter] for letter in str(rule["access"]))
        if kind != {"b": 1, "c": 2}[str(rule["type"])] or rule["major"] not in (-1, major) or rule["minor"] not in (-1, minor):
            continue
        if (access & ~named == 0) if rule["allow"] else (access & named):
            return int(bool(rule["allow"]))
    return 0


numbers = st.integers(-1, 3)
rules_of_any_kind = st.lists(
    st.fixed_dictionaries(
        {
            "allow": st.booleans(),
            "type": st.sampled_from("aabc"),
            "major": numbers,
            "minor": numbers,
            "access": st.sampled_from(["r", "w", "m", "rw", "rm", "wm", "rwm"]),
        }
    ),
    max_size=6,
)


@given(rules_of_any_kind, st.sampled_from([1, 2]), st.integers(1, 7), st.integers(0, 3), st.integers(0, 3))
def test_the_program_says_what_the_rules_mean(rules: list[Rule], kind: int, access: int, major: int, minor: int) -> None:
    assert run(compile_rules(rules), kind, access, major, minor) == meant(rules, kind, access, major, minor)


@pytest.mark.parametrize("rule", [{"type": "x"}, {"type": "c", "access": "rx"}])
def test_a_bad_rule_is_refused(rule: Rule) -> None:
    with pytest.raises(ValueError, match="device rule"):
        compile_rules([rule])
