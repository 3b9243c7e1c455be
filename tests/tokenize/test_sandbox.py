"""A chat template is a program by strangers: it ends, within limits, or is refused."""

import time

import jinja2
import pytest

from hornbook.core.errors import HornbookError
from hornbook.tokenize import budget, chat, sandbox

NESTED = (
    "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(40) %}"
    "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}"
)
ENDLESS = {
    "nested loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}"
    "{% endfor %}",
    "loops that write": "{% for i in range(99999) %}{% for j in range(999) %}aa{% endfor %}"
    "{% endfor %}",
    "a recursive loop": "{% for i in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    "a recursive macro": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "a long string": "{{ 'a' * 10**9 }}",
    "a long constant": "{{ 'a' * 1000000000 }}",
    "a long list": "{{ [0] * 10**10 }}",
    "a long number": "{{ (9 ** (10**7)) % 7 }}",
    "numbers upon numbers": "{% set ns = namespace(x=9) %}{% for i in range(99) %}"
    "{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "text doubled": "{% set ns = namespace(x='a') %}{% for i in range(99) %}"
    "{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
    "text added": "{% set ns = namespace(x='a') %}{% for i in range(99) %}"
    "{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
    "a block doubled": "{% set ns = namespace(x='a') %}{% for i in range(99) %}"
    "{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}{% endfor %}{{ ns.x }}",
    "centred": "{{ 'a'|center(10**10) }}",
    "a constant centred": "{{ 'a'|center(10000000000) }}",
    "indented": "{{ 'a\\nb'|indent(10**10) }}",
    "padded": "{{ 'a'.ljust(10**10) }}",
    "formatted": "{{ '%10000000000d' % 3 }}",
    "formatted by a filter": "{{ '%10000000000d'|format(3) }}",
    "formatted by a method": "{{ '{:10000000000}'.format(3) }}",
    "joined": "{{ ('a' * 10**6).join(range(99999)|map('string')) }}",
    "replaced": "{{ ('a' * 10**5).replace('a', 'b' * 10**5) }}",
    "as JSON": "{{ [[[1]]]|tojson(indent=10**10) }}",
    "a loop over a long text": "{% for a in 'a' * 10**7 %}{% for b in 'a' * 10**7 %}"
    "{% endfor %}{% endfor %}",
    "lists compared": NESTED + "{{ ns.x == ns.y }}",
    "lists looked for": NESTED + "{{ ns.x in [ns.y] }}",
    "lists written": NESTED + "{{ ns.x }}",
    "lists as JSON": NESTED + "{{ ns.x|tojson|length }}",
    "lists repeated": "{{ [[0] * 90000] * 90000 }}",
    "lists doubled": NESTED.replace("[ns.x, ns.x]", "ns.x + ns.x") + "{{ ns.x }}",
    "lists of lists doubled": "{% set ns = namespace(x=[[0] * 90000]) %}{% for i in range(16) %}"
    "{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x == 1 }}",
    "encoded": "{% set ns = namespace(x='') %}{% for i in range(9000) %}"
    "{% set ns.x = ns.x ~ '%c'|format(i + 256) %}{% endfor %}{{ (ns.x * 9).encode('punycode') }}",
    "nested by a filter": NESTED.replace("[ns.x, ns.x]", "(ns.x + ns.x)|batch(2)|list"),
    "nested by a call": NESTED.replace("[ns.x, ns.x]", "dict(a=ns.x, b=ns.x)"),
    "keys of keys": NESTED.replace("[ns.x, ns.x]", "(ns.x, ns.x)") + "{{ {ns.x: 1} }}",
    "lists added up": "{{ (range(90000)|batch(1)|list)|sum(start=[]) }}",
    "empty lists added up": "{{ ([[]] * 90000)|sum(start=[1] * 90000) }}",
    "slices": "{{ 'a'|slice(10**9)|list }}",
    "a long word wrapped": "{{ ('a' * 10**6)|wordwrap(1) }}",
    "filler": "{{ lipsum(n=10**9) }}",
    "lists sorted": "{% for i in range(9999) %}{{ range(99999)|sort }}{% endfor %}",
    "texts split": "{% for i in range(9999) %}{% set x = ('a ' * 10**5).split() %}{% endfor %}",
    "many filters": "{{ a" + "|upper" * 15_000 + " }}",
}  # fmt: skip


@pytest.mark.parametrize("name", ENDLESS)
def test_what_takes_too_much_is_refused_in_time(name, monkeypatch):
    monkeypatch.setattr(budget, "SECONDS", 1.0)
    monkeypatch.setattr(budget, "STEPS", 30_000)
    started = time.perf_counter()
    with pytest.raises(HornbookError, match="The chat template cannot be used"):
        sandbox.render(ENDLESS[name], {})
    assert time.perf_counter() - started < 5
    assert sandbox.render("{{ 1 + 1 }}", {}) == "2"


BROKEN = (
    "{{", "{% for %}", "{{ 1 / 0 }}", "{{ x.y.z }}", "{{ ''.__class__.__mro__ }}", "{{ 3() }}",
    "(" * 5000, "{{ " + "(" * 5000 + " }}", "{% include 'x' %}", "a" * 2**21,
    "{% for i in range(10**9) %}{% endfor %}", "{{ raise_exception('a' * 10**6) }}",
)  # fmt: skip


@pytest.mark.parametrize("template", BROKEN)
def test_what_is_broken_is_refused_or_text(template):
    try:
        sandbox.render(template, {})
    except HornbookError as error:
        assert len(str(error)) < 700


MARKS = ["\ue000", "\ue001", "\ue002", "\ue003", "\ue00299999999999\ue003", "\ue0021114112\ue003"]


@pytest.mark.parametrize("mark", MARKS)
def test_a_template_may_write_our_marks(mark):
    said = [{"role": "user", "content": f"a{mark}b<s>"}]
    for template in ("{{ messages[0].content }}", mark + "x{{ messages[0].content }}" + mark):
        pieces = chat.render(template, said, False, {}, ["<s>"])
        assert f"a{mark}b<s>" in "".join(piece.text for piece in pieces), template
        assert not any(piece.special for piece in pieces)


def test_long_conversations_are_within_the_limits():
    said = [{"role": "user", "content": "word " * 2000}] * 1000
    pieces = chat.render(chat.CHATML, said, True, {}, ["<|im_start|>", "<|im_end|>"])
    assert sum(piece.special for piece in pieces) == 2001


MESSAGES = [{"role": "user", "content": "word " * 20}] * 1000
USUAL = (
    "{% for m in messages[1:] %}{% if loop.index0 == messages[1:]|length - 1 %}last{% endif %}"
    "{{ [m, m.content]|last|trim }}{% endfor %}",
    "{{ messages|map(attribute='content')|list|unique|join }}",
    "{% for m in messages[::-1] %}{{ m.content.split(' ')|last }}{% set x = messages == x %}"
    "{% endfor %}",
    "{{ messages|tojson|length }}{{ {'all': messages, 'first': messages[0]}|tojson|length }}",
    "{% for a, b in [('x', 1), ('y', 2)] %}{{ (a, b)[0] }}{% set c, d = b, a %}{{ [c] + [d] }}"
    "{% endfor %}",
    "{{ [[1], [2]]|sum(start=[]) }}{{ [1.5, 2]|sum }}{{ [{'n': 3}]|sum(attribute='n') }}",
    "{{ range(5)|batch(2)|list }}{{ range(7)|slice(3)|list }}{{ ['b', 'a']|sort|first }}",
)


@pytest.mark.parametrize("template", USUAL)
def test_what_is_usual_is_what_jinja_makes_of_it(template):
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = sandbox._tojson  # escapes nothing, as that of transformers
    wanted = environment.from_string(template).render(messages=MESSAGES)
    assert sandbox.render(template, {"messages": MESSAGES}) == wanted


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("", '{"b": "é<", "a": [1]}'),
        ("(ensure_ascii=False)", '{"b": "é<", "a": [1]}'),
        ("(ensure_ascii=True)", '{"b": "\\u00e9<", "a": [1]}'),
        ("(True)", '{"b": "\\u00e9<", "a": [1]}'),
        ("(separators=(',', ':'), sort_keys=True)", '{"a":[1],"b":"é<"}'),
        ("(indent=1)", '{\n "b": "é<",\n "a": [\n  1\n ]\n}'),
    ],
)
def test_json_takes_the_options_that_templates_give_it(options, wanted):
    values = {"x": {"b": "é<", "a": [1]}}
    assert sandbox.render("{{ x|tojson%s }}" % options, values) == wanted  # noqa: UP031
