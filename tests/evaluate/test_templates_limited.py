"""Templates of tasks run under the limits of chat templates: none goes on without an end."""

import pytest

from hornbook.core.errors import UsageError
from hornbook.evaluate.templates import evaluate, render

ROW = {"text": "one two", "answers": [{"text": "a"}, {"text": "b"}]}


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ 'a' * 10**9 }}",
        "{{ text.ljust(10**9) }}",
        "{{ range(10**9) | list | length }}",
        "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    ],
)
def test_what_has_no_end_is_refused(template):
    with pytest.raises(UsageError, match="cannot be used"):
        render(template, ROW)


def test_expressions_are_limited_too():
    with pytest.raises(UsageError, match="cannot be used"):
        evaluate("text * 10**9", ROW)
    assert evaluate("answers | map(attribute='text') | list", ROW) == ["a", "b"]


def test_what_tasks_are_written_with_works():
    assert render("{{ text.split(' ')[:-1] | join(' ') }}\n", ROW) == "one\n"
    assert render("{% if text %}{{ text | upper }}{% endif %}", ROW) == "ONE TWO"
    assert render("{{ answers | tojson }}", ROW) == '[{"text": "a"}, {"text": "b"}]'
