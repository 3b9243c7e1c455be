"""Which tokens are learned: the same whether the template says it or the prompts tell."""

import numpy as np
import pytest

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError
from hornbook.tokenize.answers import encode_answers, with_template
from hornbook.tokenize.chat import CHATML, PLAIN, marks_answers
from hornbook.tokenize.settings import CONFIG
from hornbook.tokenize.tokenizer import TOKENIZER, Tokenizer

SILENT = CHATML.replace("{% generation %}", "").replace("{% endgeneration %}", "")
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is it?"},
    {"role": "assistant", "content": "\nA tablet. 中文"},
    {"role": "user", "content": "And now?"},
    {"role": "assistant", "content": "Still."},
    {"role": "user", "content": "Thanks."},
]


def written(folder, template, place):
    place.mkdir(exist_ok=True)
    for name in (TOKENIZER, CONFIG):
        (place / name).write_bytes((folder / name).read_bytes())
    if template is not None:
        (place / "chat_template.jinja").write_text(template)
    return Tokenizer.load(place)


def test_a_template_without_blocks_gives_the_same_answers(folder, tmp_path):
    said, told = (
        encode_answers(written(folder, template, tmp_path / str(i)), MESSAGES)
        for i, template in enumerate((CHATML, SILENT))
    )
    assert np.array_equal(said[0], told[0])
    assert np.array_equal(said[1], told[1])
    tokenizer = Tokenizer.load(tmp_path / "0")
    answers = tokenizer.decode(said[0][said[1]].tolist())
    assert answers == "\nA tablet. 中文<|im_end|>Still.<|im_end|>"


def test_a_template_that_rewrites_earlier_turns_is_refused(folder, tmp_path):
    """As those do that drop what was thought before the last answer."""
    template = SILENT.replace(
        "<|im_start|>{{ message['role'] }}",
        "<|im_start|>{{ message['role'] }}{{ loop.length }}",
    )
    tokenizer = written(folder, template, tmp_path / "t")
    with pytest.raises(HornbookError, match="generation"):
        encode_answers(tokenizer, MESSAGES)


@pytest.mark.parametrize("first", ["Hello!", "A tablet.", " \nBoth", "中文"])
def test_an_answer_that_nobody_asked_for_is_found_behind_what_the_template_adds(
    folder, tmp_path, first
):
    """Templates write a system turn of their own before a first answer, and none before nothing."""
    own = "<|im_start|>system\nHelp.<|im_end|>\n"
    own = f"{{% if messages and messages[0]['role'] != 'system' %}}{own}{{% endif %}}"
    tokenizer = written(folder, own + SILENT, tmp_path / "t")
    messages = [{"role": "assistant", "content": first}, *MESSAGES[1:]]
    ids, trained = encode_answers(tokenizer, messages)
    answers = tokenizer.decode(ids[trained].tolist())
    assert answers == f"{first}<|im_end|>\nA tablet. 中文<|im_end|>Still.<|im_end|>"
    assert "Help." in tokenizer.decode(ids[~trained].tolist())


def test_no_template_becomes_chatml_or_headings(folder, tmp_path):
    own, said = with_template(folder, tmp_path / "unused", Claim("t"))
    assert own == folder and "it marks the answers" in said
    for ends, words in ((True, "ChatML"), (False, "headings")):
        place, out = tmp_path / f"in{ends}", tmp_path / f"out{ends}"
        written(folder, None, place)
        config = (place / CONFIG).read_text()
        (place / CONFIG).write_text(config.replace("chat_template", "was"))
        if not ends:
            path = place / TOKENIZER
            path.write_text(path.read_text().replace("<|im_end|>", "<|other|>"))
        assert Tokenizer.load(place).chat_template is None
        found, said = with_template(place, out, Claim("t"))
        assert found == out and words in said
        tokenizer = Tokenizer.load(out)
        ids, trained = encode_answers(tokenizer, MESSAGES)
        assert int(ids[trained][-1]) in tokenizer.stop_ids
        assert "Thanks" not in tokenizer.decode(ids[trained].tolist())


def test_blocks_are_seen_however_they_are_spaced():
    assert marks_answers(CHATML) and marks_answers(PLAIN)
    assert marks_answers("{%- generation -%}x{% endgeneration %}")
    assert not marks_answers(SILENT) and not marks_answers("{{ generation }}")
