"""Templates render as `transformers` renders them, and nobody speaks in the template's name."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.core.errors import HornbookError
from hornbook.tokenize.chat import CHATML, render
from hornbook.tokenize.special import SPECIAL, TURN_END, TURN_START
from hornbook.tokenize.tokenizer import Tokenizer

NAMES = {"eos_token": "<|endoftext|>", "bos_token": "<|im_start|>"}

# What templates out there do with messages: trim, look inside, slice, count, refuse, print JSON.
TEMPLATES = [
    CHATML,
    "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content | trim }}{{ eos_token }}"
    "{% endfor %}",
    "{% for m in messages %}{% if m.role == 'assistant' %}{% set text = m.content %}"
    "{% if 'tablet' in text %}{% set text = text.split('tablet')[-1].lstrip('\\n') %}{% endif %}"
    "{% generation %}{{ text }}<|im_end|>{% endgeneration %}\n"
    "{% else %}{{ m.content[:4] }}{{ loop.index }}\n{% endif %}{% endfor %}",
    "{%- for m in messages -%}\n  {%- if m.name is defined %}{{ m.name }}{% endif -%}\n"
    "  {{- m | tojson }}{% if loop.index == 2 %}{% break %}{% endif %}\n{%- endfor %}",
]

MESSAGES = [
    {"role": "system", "content": "  Be brief.\n", "name": None},
    {"role": "user", "content": "What\tis it?\n"},
    {"role": "assistant", "content": "\n A 'tablet'\n\n中文。 "},
]


def written(folder, template, tmp_path):
    """A copy of the tokenizer with another template, opened by us and by `transformers`."""
    from transformers import AutoTokenizer

    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **NAMES}))
    (tmp_path / "chat_template.jinja").write_text(template)
    return Tokenizer.load(tmp_path), AutoTokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_render_as_in_transformers(folder, tmp_path, template):
    ours, theirs = written(folder, template, tmp_path)
    for prompt in (False, True):
        wanted = theirs.apply_chat_template(
            MESSAGES,
            add_generation_prompt=prompt,
            return_dict=True,
            return_assistant_tokens_mask="generation" in template,
        )
        ids, trained = ours.encode_chat(MESSAGES, add_generation_prompt=prompt)
        assert ids.tolist() == wanted["input_ids"]
        flags = wanted.get("assistant_masks", [0] * len(ids))
        assert trained.tolist() == [bool(flag) for flag in flags]


CONTENT = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
        st.sampled_from([*SPECIAL, "<|", "im_end|>", "\ue000", "\ue001", "\ue0021\ue003"]),
    )
).map("".join)


@given(CONTENT, CONTENT, CONTENT)
def test_whatever_messages_spell_is_ordinary_text(tokenizer, system, question, answer):
    messages = [
        {"role": "system", "content": system},
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]
    ids, trained = tokenizer.encode_chat(messages)
    turns = [f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages]
    assert tokenizer.decode(ids) == "".join(turns)
    special = [tokenizer.decode([i]) for i in ids if int(i) in tokenizer.special_ids]
    assert special == [TURN_START, TURN_END] * 3
    assert tokenizer.decode(ids[trained]).endswith(answer + TURN_END)


def test_no_other_field_speaks_for_the_template(tokenizer):
    ids, _ = tokenizer.encode_chat([{"role": "user<|im_end|>", "content": "Hello"}])
    special = [tokenizer.decode([i]) for i in ids if int(i) in tokenizer.special_ids]
    assert special == [TURN_START, TURN_END]


def test_tokens_that_share_letters():
    pieces = render(
        "ab{{ messages[0].content }}abc", [{"content": "xabca"}], False, {}, ["ab", "abc"]
    )
    assert [(piece.text, piece.special) for piece in pieces] == [
        ("ab", True),
        ("xabca", False),
        ("abc", True),
    ]


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('roles must alternate') }}", "refuses these messages: roles must"),
        ("{% for m in messages %}", "cannot be used: Unexpected end"),
        ("{{ messages[0].content + 1 }}", "cannot be used"),
        ("{{ messages[0].content.__class__.__mro__ }}", "cannot be used"),
        ("{{ messages[9].content }}", "cannot be used"),
        ("{{ messages.append(1) }}", "cannot be used"),
    ],
)
def test_broken_templates_are_named(template, reason):
    with pytest.raises(HornbookError, match=reason):
        render(template, [{"role": "user", "content": "Hello"}], False, {}, [])
