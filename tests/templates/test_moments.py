# ruff: noqa: E501
"""The methods of moments and durations: each right value is what docker's command line 28.5 wrote for the same template and data."""

from __future__ import annotations

import pytest

from moby_tui.cli.output.functions import FUNCTIONS
from moby_tui.templates import Template, TemplateError
from moby_tui.templates.values import Duration, Struct, Time


def run(text: str, *, strict: bool = True, **fields: object) -> str:
    return Template(text, functions=FUNCTIONS).execute(Struct("api.Thing", fields), strict=strict)


#: The template, and what came of it for each moment.
_MOMENTS = (
    "2026-11-29T04:41:29.95048Z",
    "2024-02-05T15:04:05.000001234+01:30",
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59.5-07:00",
)
_WRITTEN = {
    "{{.When}}|{{json .When}}": (
        '2026-11-29 04:41:29.95048 +0000 UTC|"2026-11-29T04:41:29.95048Z"',
        '2024-02-05 15:04:05.000001234 +0130 +0130|"2024-02-05T15:04:05.000001234+01:30"',
        '0001-01-01 00:00:00 +0000 UTC|"0001-01-01T00:00:00Z"',
        '1969-12-31 23:59:59.5 -0700 -0700|"1969-12-31T23:59:59.5-07:00"',
    ),
    '{{.When.Format "2006-01-02 15:04:05"}}|{{.When.Format "Mon Jan _2 3:04PM 06 MST"}}|{{.When.Format "Monday January 2 __2 002 03:4:5 pm"}}': (
        "2026-11-29 04:41:29|Sun Nov 29 4:41AM 26 UTC|Sunday November 29 333 333 04:41:29 am",
        "2024-02-05 15:04:05|Mon Feb  5 3:04PM 24 +0130|Monday February 5  36 036 03:4:5 pm",
        "0001-01-01 00:00:00|Mon Jan  1 12:00AM 01 UTC|Monday January 1   1 001 12:0:0 am",
        "1969-12-31 23:59:59|Wed Dec 31 11:59PM 69 -0700|Wednesday December 31 365 365 11:59:59 pm",
    ),
    '{{.When.Format "Janet Money _2006 .000 .999 ,00 05.000000 05.99 1.5.000Z -07 -0700 -07:00 -070000 -07:00:00 Z07 Z0700 Z07:00 Z070000 Z07:00:00 .0001 15h"}}': (
        "Janet Money _2026 .950 .95 ,95 29.950480 29.95 11.29.950Z +00 +0000 +00:00 +000000 +00:00:00 Z Z Z Z Z .0011 04h",
        "Janet Money _2024 .000  ,00 05.000001 05 2.5.000Z +01 +0130 +01:30 +013000 +01:30:00 +01 +0130 +01:30 +013000 +01:30:00 .0002 15h",
        "Janet Money _0001 .000  ,00 00.000000 00 1.0.000Z +00 +0000 +00:00 +000000 +00:00:00 Z Z Z Z Z .0001 00h",
        "Janet Money _1969 .500 .5 ,50 59.500000 59.5 12.59.500Z -07 -0700 -07:00 -070000 -07:00:00 -07 -0700 -07:00 -070000 -07:00:00 .0012 23h",
    ),
    "{{.When.Unix}} {{.When.UnixMilli}} {{.When.UnixNano}} {{.When.Year}} {{.When.Month}} {{.When.Day}} {{.When.Weekday}} {{.When.YearDay}} {{.When.Hour}} {{.When.Minute}} {{.When.Second}} {{.When.Nanosecond}} {{.When.IsZero}}": (
        "1795927289 1795927289950 1795927289950480000 2026 November 29 Sunday 333 4 41 29 950480000 false",
        "1707140045 1707140045000 1707140045000001234 2024 February 5 Monday 36 15 4 5 1234 false",
        "-62135596800 -62135596800000 -6795364578871345152 1 January 1 Monday 1 0 0 0 0 true",
        "25199 25199500 25199500000000 1969 December 31 Wednesday 365 23 59 59 500000000 false",
    ),
    '{{.When.UTC}} {{.When.UTC.Format "15:04 MST"}} {{.When.Before .When}} {{.When.Equal .When.UTC}} {{.When.Compare .When}} {{.When.Sub .When}}': (
        "2026-11-29 04:41:29.95048 +0000 UTC 04:41 UTC false true 0 0s",
        "2024-02-05 13:34:05.000001234 +0000 UTC 13:34 UTC false true 0 0s",
        "0001-01-01 00:00:00 +0000 UTC 00:00 UTC false true 0 0s",
        "1970-01-01 06:59:59.5 +0000 UTC 06:59 UTC false true 0 0s",
    ),
    '{{printf "%d %s %v %q %x %T %#v" .When.Month .When.Month .When.Month .When.Month .When.Month .When.Month .When.Month}} {{eq .When.Month 2}} {{.When.Month.String}} {{json .When.Month}} {{printf "%5d|%-10s|%10v|" .When.Weekday .When.Weekday .When.Weekday}}': (
        '11 November November "November" 4e6f76656d626572 time.Month 11 false November 11     0|Sunday    |    Sunday|',
        '2 February February "February" 4665627275617279 time.Month 2 true February 2     1|Monday    |    Monday|',
        '1 January January "January" 4a616e75617279 time.Month 1 false January 1     1|Monday    |    Monday|',
        '12 December December "December" 446563656d626572 time.Month 12 false December 12     3|Wednesday | Wednesday|',
    ),
    "{{len .When.Month.String}} {{print .When.Month 1 .When.Year}} {{println .When.Month}}": (
        "8 November 1 2026 November",
        "8 February 1 2024 February",
        "7 January 1 1 January",
        "8 December 1 1969 December",
    ),
}


@pytest.mark.parametrize("text", _WRITTEN)
def test_a_moments_methods(text: str) -> None:
    assert tuple(run(text, When=Time(moment)).rstrip("\n") for moment in _MOMENTS) == _WRITTEN[text]


def test_a_durations_methods() -> None:
    text = (
        "{{.Interval}} {{.Timeout}} {{.StartPeriod}} {{.StartInterval}} {{json .Interval}} {{.Interval.Seconds}} {{.StartInterval.Hours}} "
        "{{.StartInterval.Minutes}} {{.Timeout.String}} {{.StartInterval.Milliseconds}} "
        '{{printf "%d %v %T %.1f" .Interval .Interval .Interval .Timeout.Minutes}} {{gt .Interval 5}} {{.}}'
    )
    written = run(
        text,
        Interval=Duration(1_500_000_000),
        Timeout=Duration(90 * 10**9),
        StartPeriod=Duration(0),
        StartInterval=Duration(1_234_567),
    )
    assert written == (
        "1.5s 1m30s 0s 1.234567ms 1500000000 1.5 3.429352777777778e-07 2.0576116666666668e-05 1m30s 1 "
        "1500000000 1.5s time.Duration 1.5 true {1.5s 1m30s 0s 1.234567ms}"
    )
    assert run("{{.A}} {{.B}} {{.C}}", A=Duration(-3_600_000_000_001), B=Duration(15), C=Duration(2**63 - 1)) == (
        "-1h0m0.000000001s 15ns 2562047h47m16.854775807s"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{.When.Nope}}", "can't evaluate field Nope in type time.Time"),
        ("{{.When.Month.Nope}}", "can't evaluate field Nope in type time.Month"),
        ("{{.When.Format}}", "wrong number of args for Format: want 1 got 0"),
        ("{{.When.Format 5}}", "expected string; found 5"),
        ('{{.When.Before "x"}}', "expected time.Time; found"),
        ("{{.When.Unix 5}}", "wrong number of args for Unix: want 0 got 1"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        run(text, When=Time("2026-11-29T04:41:29Z"))
    assert message in caught.value.message


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-45T99:99:99Z", "99999-01-01T00:00:00Z"])
def test_what_is_no_moment_is_gos_zero_moment(text: str) -> None:
    assert run("{{.When.IsZero}} {{.When.Year}} {{.When.Local.Year}}", When=Time(text)) == "true 1 1"
