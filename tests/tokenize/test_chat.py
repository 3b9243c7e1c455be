"""Templates render as `transformers` renders them, and nobody speaks in the template's name."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.core.errors import HornbookError
from hornbook.tokenize.chat import CHATML, render
from hornbook.tokenize.special import SPECIAL, TURN_END, TURN_START
from hornbook.tokenize.tokenizer import Tokenizer
from tests.tokenize.test_gguf_tokenizers import file, keys

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

# The forms of families that people have, their texts shorter.
FAMILIES = {
    "phi": "{% for m in messages %}{% if (m['role'] == 'system') %}{{'<|im_start|>system<|sep|>' +"
    " m['content'] + '<|im_end|>'}}{% elif (m['role'] == 'user') %}{{'<|im_start|>user<|sep|>' +"
    " m['content'] + '<|im_end|>'}}{% else %}{{'<|im_start|>assistant<|sep|>' + m['content'] +"
    " '<|im_end|>'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>' }}"
    "{% endif %}",
    "mistral": "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] %}"
    "{%- set rest = messages[1:] %}{%- else %}{%- set rest = messages %}{%- endif %}"
    "{{- bos_token }}{%- set ns = namespace(index=0) %}{%- for m in rest %}"
    "{%- if not (m.tool_calls is defined) %}{%- if (m['role'] == 'user') != (ns.index % 2 == 0) %}"
    "{{- raise_exception('roles must alternate') }}{%- endif %}{%- set ns.index = ns.index + 1 %}"
    "{%- endif %}{%- endfor %}{%- for m in rest %}{%- if m['role'] == 'user' %}"
    "{%- if loop.first and system is defined %}{{- '[INST] ' + system + '\\n\\n' + m['content'] +"
    " '[/INST]' }}{%- else %}{{- '[INST] ' + m['content'] + '[/INST]' }}{%- endif %}{%- else %}"
    "{{- ' ' + m['content']|trim + eos_token }}{%- endif %}{%- endfor %}",
    "gemma": "{{ bos_token }}{%- if messages[0]['role'] == 'system' -%}{%- if messages[0].content"
    " is string -%}{%- set first = messages[0]['content'] + '\n' -%}{%- else -%}{%- set first ="
    " messages[0]['content'][0]['text'] -%}{%- endif -%}{%- set rest = messages[1:] -%}"
    "{%- else -%}{%- set first = '' -%}{%- set rest = messages -%}{%- endif -%}"
    "{%- for m in rest -%}{%- if (m['role'] == 'assistant') -%}{%- set role = 'model' -%}"
    "{%- else -%}{%- set role = m['role'] -%}{%- endif -%}{{ '<start>' + role + '\n' + (first if"
    " loop.first else '') }}{%- if m['content'] is string -%}{{ m['content'] | trim }}"
    "{%- elif m['content'] is iterable -%}{%- for item in m['content'] -%}{{ item['text'] }}"
    "{%- endfor -%}{%- endif -%}{{ '<end>\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{'<start>model\n'}}{%- endif -%}",
    "granite": "{%- set tools_there = tools is defined and tools %}{%- if messages[0]['role'] =="
    " 'system' %}{%- set system = messages[0]['content'] %}{%- set loop_messages = messages[1:] %}"
    "{%- else %}{%- set system = 'Today is ' + strftime_now('%B %Y') %}{%- set loop_messages ="
    " messages %}{%- endif %}{{- '<|role|>system<|end|>' + system + '<|im_end|>\n' }}"
    "{%- if documents %}{{- documents | tojson(indent=4) }}{%- endif %}{% for m in loop_messages %}"
    "{{- '<|role|>' + m['role'] + '<|end|>' + m['content'] + '<|im_end|>\n' }}{%- if loop.last and"
    " add_generation_prompt %}{{- '<|role|>assistant' }}{%- if controls %}{{- ' ' + controls |"
    " tojson()}}{%- endif %}{{- '<|end|>' }}{%- endif %}{%- endfor %}",
    "olmo": "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '<|user|>\n' +"
    " m['content'] + '\n' }}{% elif m['role'] == 'assistant' %}{% if not loop.last %}"
    "{{ m['content'] + eos_token + '\n' }}{% else %}{{ m['content'] + eos_token }}{% endif %}"
    "{% endif %}{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
    "{% endfor %}",
    "smollm3": "{%- if enable_thinking is not defined -%}{%- set enable_thinking = true -%}"
    "{%- endif -%}{%- set mode = '/think' if enable_thinking else '/no_think' -%}"
    "{%- if messages[0].role == 'system' -%}{%- set system = messages[0].content -%}"
    "{%- if '/no_think' in system -%}{%- set mode = '/no_think' -%}{%- endif -%}"
    "{%- set own = system.replace('/no_think', '').replace('/think', '').rstrip() -%}{%- endif -%}"
    "{{- '<|im_start|>system\nDate: ' ~ strftime_now('%Y') ~ '\nMode: ' ~ mode ~ '\n' -}}"
    "{%- if own -%}{{- own -}}{%- endif -%}{{- '<|im_end|>\n' -}}{%- for m in messages -%}"
    "{%- set content = m.content if m.content is string else '' -%}{%- if m.role == 'assistant' -%}"
    "{%- generation -%}{%- if mode == '/think' -%}{{- '<|im_start|>assistant\n' +"
    " content.lstrip('\n') + '<|im_end|>\n' -}}{%- else -%}{{- content -}}{%- endif -%}"
    "{%- endgeneration -%}{%- elif m.role == 'user' -%}{{- '<|im_start|>' + m.role + '\n' + content"
    " + '<|im_end|>\n' -}}{%- endif -%}{%- endfor -%}{%- if add_generation_prompt -%}"
    "{{- '<|im_start|>assistant\n' -}}{%- endif -%}",
    "qwen3.5": "{%- macro say(content) %}{%- if content is string %}{{- content }}{%- else %}"
    "{%- for item in content %}{{- item.text if 'text' in item else '' }}{%- endfor %}{%- endif %}"
    "{%- endmacro %}{%- set ns = namespace(last=messages|length - 1, found=false) %}"
    "{%- for m in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}"
    "{%- if not ns.found and m.role == 'user' %}{%- set ns.last = index %}{% set ns.found = true %}"
    "{%- endif %}{%- endfor %}{%- for m in messages %}{%- set content = say(m.content)|trim %}"
    "{%- if m.role == 'assistant' %}{%- set thought = '' %}{%- if '</think>' in content %}"
    "{%- set thought = content.split('</think>')[0].rstrip('\n').split('<think>')[-1] %}"
    "{%- set content = content.split('</think>')[-1].lstrip('\n') %}{%- endif %}"
    "{%- if loop.index0 > ns.last %}{{- '<|im_start|>assistant\n<think>\n' + thought +"
    " '\n</think>\n\n' + content }}{%- else %}{{- content }}{%- endif %}{{- '<|im_end|>\n' }}"
    "{%- elif loop.previtem and loop.previtem.role == 'user' %}{{- 'again' }}{%- else %}"
    "{{- '<|im_start|>' + m.role + '\n' + content + '<|im_end|>' + '\n' }}{%- endif %}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>' }}{%- endif %}"
    "{%- endif %}",
}

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


@pytest.mark.parametrize("template", [*TEMPLATES, *FAMILIES.values()])
def test_templates_render_as_in_transformers(folder, tmp_path, template):
    """From a folder, and from a GGUF file, which leaves out what only training asks for."""
    ours, theirs = written(folder, template, tmp_path)
    from_file = Tokenizer.load(file(tmp_path / "m.gguf", keys(tmp_path)))
    for prompt in (False, True):
        wanted = theirs.apply_chat_template(
            MESSAGES,
            add_generation_prompt=prompt,
            return_dict=True,
            return_assistant_tokens_mask="generation" in template,
        )
        ids, trained = ours.encode_chat(MESSAGES, add_generation_prompt=prompt)
        assert ids.tolist() == wanted["input_ids"]
        assert from_file.encode_chat(MESSAGES, prompt)[0].tolist() == wanted["input_ids"]
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
