"""Sizes and durations as Docker writes them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.cli.values import units
from moby_tui.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512", 512),
        ("64k", 65536),
        ("64KiB", 65536),
        ("512m", 512 << 20),
        ("1.5g", 3 << 29),
        ("1 GB", 1 << 30),
        ("2t", 2 << 40),
        ("0", 0),
    ],
)
def test_size_is_read(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "m", "-1", "1x", "1.2.3", "1e3", "0x10", "9999999p", "١k"])
def test_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        units.parse_size(text)


def test_swap_may_be_unlimited() -> None:
    assert units.parse_swap("-1") == -1
    assert units.parse_swap("1g") == 1 << 30


@given(st.text(max_size=12))
def test_size_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        assert units.parse_size(text) >= 0


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (7_834_000, "7.83MB"), (999_999, "1MB"), (1_500_000_000, "1.5GB")],
)
def test_size_is_printed(size: int, text: str) -> None:
    assert units.human_size(size, 3) == text


@given(st.integers(0, 1 << 62))
def test_printed_size_is_near_and_plain(size: int) -> None:
    text = units.binary_size(size)
    assert "e" not in text
    number = text.rstrip("BiKMGTPEZY")
    factor = 1024 ** ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].index(text[len(number) :])
    assert float(number) < 1024 or size >= 1 << 60
    assert abs(float(number) * factor - size) <= size * 0.001 + 0.5


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("30s", 30e9),
        ("1m30s", 90e9),
        ("1.5h", 5400e9),
        ("200ms", 2e8),
        ("-5s", -5e9),
        ("0", 0),
        ("1h0m0.5s", 3600.5e9),
        ("7us", 7000),
    ],
)
def test_duration_is_read(text: str, nanoseconds: float) -> None:
    assert units.parse_nanoseconds(text) == int(nanoseconds)


@pytest.mark.parametrize("text", ["", "5", "s", "1d", "1 s", "1.s.s", "--5s"])
def test_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        units.parse_nanoseconds(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "About a minute"),
        (150, "2 minutes"),
        (3600, "About an hour"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (14 * 86400, "2 weeks"),
        (60 * 86400, "2 months"),
        (730 * 86400, "2 years"),
    ],
)
def test_duration_is_printed(seconds: float, text: str) -> None:
    assert units.human_duration(seconds) == text


@given(st.floats(0, 1e10))
def test_every_duration_has_words(seconds: float) -> None:
    assert units.human_duration(seconds)[0] not in "0-"


@given(st.integers(0, 10**15))
def test_cpus_are_exact(nano: int) -> None:
    assert units.parse_nano_cpus(f"{nano // 10**9}.{nano % 10**9:09d}") == nano


@pytest.mark.parametrize("text", ["", ".", "x", "1.0000000001", "1,5"])
def test_cpus_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        units.parse_nano_cpus(text)
