"""Go's template language: each right value is what Go's own implementation wrote for the same template and data."""

from __future__ import annotations

import pytest

from moby_tui.cli.output.functions import FUNCTIONS
from moby_tui.templates import Template, TemplateError
from moby_tui.templates.values import Map, NilPointer, Slice, Struct, Time

DATA = {
    "a": {"b": [1, 2, "x"], "c": {"z": 1, "y": "q"}},
    "n": None,
    "s": "hi",
    "t": True,
    "l": ["p", "q", "r"],
    "e": [],
    "u": "ü<&\"'>",
    "deep": [{"k": "v1"}, {"k": "v2"}],
}


def run(text: str, value: object = DATA, *, strict: bool = True) -> str:
    return Template(text, functions=FUNCTIONS).execute(value, strict=strict)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("{{.a}}", "map[b:[1 2 x] c:map[y:q z:1]]"),
        ("{{json .a}}", '{"b":[1,2,"x"],"c":{"y":"q","z":1}}'),
        ("{{.n}} {{.n | print}} {{.a.b}}", "<no value> <nil> [1 2 x]"),
        ("{{range $i, $e := .l}}{{if $i}},{{end}}{{$i}}={{$e}}{{end}}", "0=p,1=q,2=r"),
        ("{{range $k, $v := .a.c}}{{$k}}->{{$v}};{{end}}", "y->q;z->1;"),
        ('{{range .l}}{{if eq . "q"}}{{break}}{{end}}{{.}}{{end}}', "p"),
        ('{{range .l}}{{if eq . "q"}}{{continue}}{{end}}{{.}}{{end}}', "pr"),
        ("{{range .e}}x{{else}}none{{end}}{{range .n}}x{{else}}none{{end}}", "nonenone"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{with .e}}y{{else with .l}}{{.}}{{end}}", "[p q r]"),
        ('{{if eq .s "ho"}}y{{else if .t}}z{{end}}', "z"),
        ("{{$x := 1}}{{$x = 2}}{{$x}}{{with .a}}{{$.s}}{{end}}", "2hi"),
        ('{{define "x"}}[{{.}}]{{end}}{{template "x" .s}}{{template "x"}}{{block "q" .}}{{.s}}{{end}}', "[hi][<no value>]hi"),
        ("a {{- .s -}} b{{/* c */ -}}  x", "ahibx"),
        ("{{(index .deep 1).k}} {{index .a `b` 1}} {{len .u}} {{slice .s 0 1}} {{slice .l 1}}", "v2 2 7 h [q r]"),
        ('{{and 1 0}} {{and "a" "b"}} {{or .s .nope.x}} {{not 0}}', "0 b hi true"),
        ('{{eq "a" "b" "a"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 3 2}} {{ge 2 3}}', "true true true true true false"),
        ("{{html .u}} {{js .u}} {{urlquery `a b&c`}}", "ü&lt;&amp;&#34;&#39;&gt; ü\\u003C\\u0026\\\"\\'\\u003E a+b%26c"),
        ("{{1e6}} {{0x1F}} {{'a'}} {{017}} {{1_000}} {{123456789.0}}", "1e+06 31 97 15 1000 1.23456789e+08"),
        ('{{print 1 2 "x" 3 4}}|{{println 1 "x" 2}}', "1 2x3 4|1 x 2\n"),
        ('{{.s | printf "%s-%s" "a"}}', "a-hi"),
        ("{{.s |}}", "hi"),
    ],
)
def test_language(text: str, written: str) -> None:
    assert run(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('{{printf "%q %5d|%-5s|" .s 3 .s}}', '"hi"     3|hi   |'),
        ('{{printf "%s"}}{{printf "%d" "x"}}{{printf "a" 1 "b"}}', "%!s(MISSING)%!d(string=x)a%!(EXTRA int=1, string=b)"),
        ('{{printf "%T %T %T %T %T" 1 1.5 "x" true nil}}', "int float64 string bool <nil>"),
        ('{{printf "%x %X %#x % x" "hi" "hi" 255 "hello"}}', "6869 6869 0xff 68 65 6c 6c 6f"),
        ('{{printf "%08.3f|%+d|% d|%e|%g" 3.14159 5 5 123456.789 1e21}}', "0003.142|+5| 5|1.234568e+05|1e+21"),
        ('{{printf "%c %U %q %o %b" 65 0x4E16 65 8 5}}', "A U+4E16 'A' 10 101"),
        ('{{printf "%*d|%[2]d %[1]d" 5 1}}', "    1|1 5"),
        ('{{printf "%q %v %d" .l .l .l}}', '["p" "q" "r"] [p q r] [%!d(string=p) %!d(string=q) %!d(string=r)]'),
        ('{{printf "%q" "\\xff\\u0085\\ufffd"}}', '"\\xff\\u0085\ufffd"'),
        ('{{printf "%+.1f|% .1f|%+.1f" -1.5 -1.5 -0.0}}', "-1.5|-1.5|-0.0"),
        ('{{printf "%05d|%-05d|%6.2f%%" -42 -42 99.5}}', "-0042|-42  | 99.50%"),
    ],
)
def test_printf(text: str, written: str) -> None:
    assert run(text) == written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{foo}}", 'template: :1: function "foo" not defined'),
        ("{{if}}", "template: :1: missing value for if"),
        ("{{if .s}}", "template: :1: unexpected EOF"),
        ("{{", "template: :1: unclosed action"),
        ("{{end}}", "template: :1: unexpected {{end}}"),
        ("{{break}}", "template: :1: {{break}} outside {{range}}"),
        ("{{$y}}", 'template: :1: undefined variable "$y"'),
        ("{{/* c }}", "template: :1: unclosed comment"),
        ('{{"x}}', "template: :1: unterminated quoted string"),
        ("{{.s | 1}}", "template: :1: non executable command in pipeline stage 2"),
        ("{{(.s}}", "template: :1: unclosed left paren"),
        ("{{template}}", 'template: :1: unexpected "}}" in template clause'),
        ("line\n{{foo}}", 'template: :2: function "foo" not defined'),
        ("{{.q.z}}", 'template: :1:4: executing "" at <.q.z>: map has no entry for key "q"'),
        ("{{.n.z}}", 'template: :1:4: executing "" at <.n.z>: nil pointer evaluating interface {}.z'),
        ("{{.s.t}}", 'template: :1:4: executing "" at <.s.t>: can\'t evaluate field t in type interface {}'),
        ('{{index .a "b" 7}}', 'template: :1:2: executing "" at <index .a "b" 7>: error calling index: index out of range: 7'),
        ("{{index .n 0}}", 'template: :1:2: executing "" at <index .n 0>: error calling index: index of untyped nil'),
        (
            "{{eq 1 1.0}}",
            'template: :1:2: executing "" at <eq 1 1.0>: error calling eq: incompatible types for comparison: int and float64',
        ),
        ("{{lower 5}}", 'template: :1:8: executing "" at <5>: expected string; found 5'),
        ('{{split "a"}}', 'template: :1:2: executing "" at <split>: wrong number of args for split: want 2 got 1'),
        (
            '{{template "a\\x01"}}',
            'template: :1:11: executing "" at <{{template "a\\x01"}}>: template "a\\x01" not defined',
        ),
        (
            '{{define "a\\x01"}}{{lower .s 5}}{{end}}{{template "a\\x01" .}}',
            'template: :1:20: executing "a\\x01" at <lower>: wrong number of args for lower: want 1 got 2',
        ),
        ('{{template "zz"}}', 'template: :1:11: executing "" at <{{template "zz"}}>: template "zz" not defined'),
    ],
)
def test_errors_are_worded_as_gos(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        run(text)
    assert caught.value.message == message


def test_dockers_functions() -> None:
    value = {"l": Slice(["p", "q"], "[]string"), "s": "ab cd"}
    assert run('{{join .l "/"}} {{split "a,b" "," | json}} {{title .s}} {{upper .s}}', value) == 'p/q ["a","b"] Ab Cd AB CD'
    assert run("{{pad `x` 2 1}}|{{pad `` 2 1}}|{{truncate .s 2}}|{{truncate .s 9}}", value) == "  x ||ab|ab cd"


def test_what_go_knows_and_json_does_not() -> None:
    value = Struct(
        "api.Thing",
        {
            "List": Slice(None, "[]string"),
            "Map": Map({"k": "v"}, "map[string]string", ""),
            "Health": NilPointer("*api.Health"),
            "When": Time("2026-11-29T04:41:29.950480Z"),
        },
        json_names={"List": "list"},
    )
    text = "{{.List}} {{json .List}} {{.Health}} {{if .Health}}yes{{end}}[{{index .Map `no`}}] {{.Map.no}} {{.When}}"
    assert run(text, value, strict=False) == "[] null <nil> [] <no value> 2026-11-29 04:41:29.95048 +0000 UTC"
    assert run("{{json .}}", value) == '{"list":null,"Map":{"k":"v"},"Health":null,"When":"2026-11-29T04:41:29.950480Z"}'
    with pytest.raises(TemplateError, match=r"nil pointer evaluating \*api.Health.Status"):
        run("{{.Health.Status}}", value, strict=False)


@pytest.mark.parametrize(
    "text",
    [
        '{{define "x"}}{{template "x"}}{{template "x"}}{{end}}{{template "x"}}',
        "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}",
        "{{if .s}}" * 5000 + "{{end}}" * 5000,
        "{{range 1000000000000}}{{end}}",
        "{{range 1000000}}{{range 1000000}}{{end}}{{end}}",
        '{{range 1000}}{{printf "%1000000d" .}}{{end}}',
        '{{pad "x" 1000000000000 1}}',
    ],
)
def test_hostile_templates_end_with_one_line(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        run(text)
    assert "\n" not in caught.value.message
