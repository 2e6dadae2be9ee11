"""Templates, tables, port summaries; detach keys."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.cli.output import progress, table
from moby_tui.cli.output.text import natural, port_summary, printable, quoted
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.container import Port
from moby_tui.schema.image import Progress, ProgressDetail


@given(st.text(alphabet='{}.- \\tjsonAb"(|)$:=', max_size=25))
def test_template_is_rendered_or_refused(text: str) -> None:
    with contextlib.suppress(MobyError):
        table.formatted(text, {"A": "A"}, (), [{"A": "b"}])


HEADINGS = {"ID": "CONTAINER ID", "Names": "NAMES"}
ROWS = [{"ID": "0123456789ab", "Names": "web"}, {"ID": "x", "Names": "a-longer-name"}]


def test_table() -> None:
    assert table.formatted("", HEADINGS, ("ID", "Names"), ROWS) == [
        "CONTAINER ID   NAMES",
        "0123456789ab   web",
        "x              a-longer-name",
    ]
    assert table.formatted(r"table {{.Names}}\t{{.ID}}", HEADINGS, (), ROWS)[0] == "NAMES           CONTAINER ID"
    assert table.formatted("{{.ID}}", HEADINGS, (), ROWS) == ["0123456789ab", "x"]
    assert table.formatted("json", HEADINGS, (), ROWS[:1]) == ['{"ID":"0123456789ab","Names":"web"}']


def test_labels_and_functions_in_a_table() -> None:
    rows = [{"ID": "x", "Names": "web", "Label": {"com.x.cpu-n": "2"}}]
    assert table.formatted(r'table {{upper .Names}}\t{{.Label "com.x.cpu-n"}}', HEADINGS, (), rows) == [
        "NAMES     cpu n",
        "WEB       2",
    ]
    assert table.formatted("{{json .}}", HEADINGS, (), rows) == ['{"ID":"x","Names":"web"}']


def test_a_field_that_no_row_has_is_told_without_rows() -> None:
    for format in ("{{.Gone}}", "table {{.Gone}}", "{{range split .Names `,`}}{{end}}{{.Gone}}"):
        with pytest.raises(InvalidArgument, match="can't evaluate field Gone"):
            table.formatted(format, HEADINGS, (), [], checked=True)
    assert table.formatted("{{index (split .Names `,`) 7}}", HEADINGS, (), [], checked=True) == []
    assert table.formatted("{{.Gone}}", HEADINGS, (), []) == [], "as docker: of its lists, ps alone looks first"


def test_lists_as_docker_has_them() -> None:
    rows = [{"ID": "<none>", "Names": ""}, {"ID": "x", "Names": "web"}]
    assert table.formatted("raw", HEADINGS, (), rows, raw={"id": "ID", "names": "Names"}) == [
        *("id: <none>", "names:", ""),
        *("id: x", "names: web", ""),
    ]
    assert table.formatted("json", HEADINGS, (), rows[:1]) == [r'{"ID":"\u003cnone\u003e","Names":""}']
    assert table.formatted("{{json .ID}}", HEADINGS, (), rows[:1]) == ['"<none>"']
    with pytest.raises(InvalidArgument, match=r"template parsing error: .* in type \*network\.networkContext"):
        table.formatted("{{.Gone}}", HEADINGS, (), rows, kind="*network.networkContext")
    names = ["net10", "net2", "net-1", "a", "net02"]
    assert sorted(names, key=natural) == ["a", "net-1", "net2", "net02", "net10"]


def test_ports_are_summed_up() -> None:
    ports = [Port(ip="0.0.0.0", private_port=80 + i, public_port=8000 + i) for i in range(3)]
    assert (
        port_summary([*ports, Port(private_port=443)])
        == "443/tcp, 0.0.0.0:8000->80/tcp, 0.0.0.0:8001->81/tcp, 0.0.0.0:8002->82/tcp"
    )
    assert port_summary([Port(ip="::", private_port=53, public_port=53, type="udp")]) == "[::]:53->53/udp"
    same = [Port(ip="0.0.0.0", private_port=port, public_port=port) for port in (80, 81, 90, 91, 92)]
    assert port_summary(same) == "0.0.0.0:80-81->80-81/tcp, 0.0.0.0:90-92->90-92/tcp"


def test_command_is_quoted_and_cut() -> None:
    assert quoted("nginx -g 'daemon off;'", 20) == '"nginx -g \'daemon of…"'
    assert quoted('echo "hi"', 20) == '"echo \\"hi\\""'


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[31mb") == "a\\x1b[31mb"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def test_a_layer_that_has_not_begun_has_no_line() -> None:
    async def steps() -> AsyncIterator[Progress]:
        for status in ("Preparing", "Waiting", "Pulling fs layer", "Layer already exists"):
            yield Progress(id="abc", status=status)

    out = Terminal()
    await progress.show(steps(), out)
    [line] = [line for line in out.getvalue().splitlines() if "abc" in line]
    assert line.endswith("abc: Layer already exists")


async def test_the_bar_of_a_layer_that_is_done_is_full() -> None:
    async def steps() -> AsyncIterator[Progress]:
        yield Progress(id="abc", status="Pushing", progress_detail=ProgressDetail(current=58_700_000, total=62_900_000))
        yield Progress(id="abc", status="Pushed")

    out = Terminal()
    await progress.show(steps(), out)
    assert "62.9/62.9 MB" in out.getvalue().rpartition("Pushed")[2]
