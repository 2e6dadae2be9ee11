"""Log lines, plots, keys and texts."""

from __future__ import annotations

from textual import events

from moby_tui.schema.stats import NetworkStats, Stats
from moby_tui.screens import text
from moby_tui.screens.session.history import History
from moby_tui.screens.terminals.keys import encode, encode_paste
from moby_tui.screens.widgets.plot import area, spark


def test_plots() -> None:
    assert spark([0, 50, 100, 1], 5, 100) == "  ▄█▁"
    assert area([8, 16, 4], 4, 2, 16) == ["  █ ", " ██▄"]
    assert area([], 3, 1, 1) == ["   "]


def test_rates_begin_with_the_second_sample_and_survive_a_restart() -> None:
    history = History()
    for now, total in ((1, 1000), (2, 3000), (4, 4000), (5, 10)):
        history.add(Stats(read="", preread="", networks={"eth0": NetworkStats(rx_bytes=total)}), now)
    assert list(history.network) == [0, 2000, 500, 0]


def test_texts() -> None:
    assert [text.size(number) for number in (0, 1023, 1024, 12_900_000, 10**12)] == ["0B", "1023B", "1.0K", "12.3M", "931G"]
    assert [text.age(number) for number in (0, 59, 60, 7200, 86400 * 9, 10**9)] == ["0s", "59s", "1m", "2h", "9d", "31y"]
    assert text.clean("a\x1b[31mb\x1b]0;t\x1b\\c\nd\u2066") == "abcd"


def key(name: str, character: str | None = None, *, application: bool = False) -> bytes:
    return encode(events.Key(name, character), application_cursor=application)


def test_keys_as_xterm_sends_them() -> None:
    sent = {
        "ctrl+c": b"\x03", "ctrl+d": b"\x04", "ctrl+z": b"\x1a", "up": b"\x1b[A", "ctrl+left": b"\x1b[1;5D", "shift+tab": b"\x1b[Z",
        "f1": b"\x1bOP", "f5": b"\x1b[15~", "shift+f5": b"\x1b[15;2~", "f12": b"\x1b[24~", "delete": b"\x1b[3~", "pageup": b"\x1b[5~",
        "enter": b"\r", "tab": b"\t", "escape": b"\x1b", "backspace": b"\x7f", "alt+b": b"\x1bb", "ctrl+space": b"\x00",
        "ctrl+alt+c": b"\x1b\x03", "ctrl+underscore": b"\x1f", "ctrl+backslash": b"\x1c", "alt+enter": b"\x1b\r", "ctrl+q": b"\x11",
        "ctrl+p": b"\x10", "home": b"\x1b[H", "ctrl+home": b"\x1b[1;5H",
    }  # fmt: skip
    assert {name: key(name) for name in sent} == sent
    assert key("up", application=True) == b"\x1bOA"
    assert key("plus", "+") == b"+" and key("upper_a", "A") == b"A" and key("eacute", "é") == "é".encode()


def test_a_paste_cannot_close_its_own_brackets() -> None:
    assert encode_paste("a\nb", bracketed=False) == b"a\rb"
    assert encode_paste("x\x1b[201~rm -rf /\n", bracketed=True) == b"\x1b[200~x[201~rm -rf /\r\x1b[201~"
