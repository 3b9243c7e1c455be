"""Which tokens of a conversation a model learns: the answers, with what ends them.

The template's own generation blocks say it. Where it has none, an answer is what stands behind the
prompt that asks for it, up to the token that ends it.
"""

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError
from hornbook.core.files import write_text
from hornbook.core.folders import atomic_folder
from hornbook.tokenize.chat import BOS, CHATML, PLAIN, marks_answers
from hornbook.tokenize.settings import CONFIG
from hornbook.tokenize.special import TURN_END
from hornbook.tokenize.tokenizer import TOKENIZER, Message, Tokenizer

_FILES = (
    TOKENIZER, CONFIG, "special_tokens_map.json", "config.json", "generation_config.json",
)  # fmt: skip


def encode_answers(
    tokenizer: Tokenizer, messages: Sequence[Message], masked: Collection[int] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """ids (N,) int64 and trained (N,) bool of a conversation: True where a token is learned.

    masked: places of answers that are read and not learned. Raises HornbookError as
    `Tokenizer.encode_chat` does, and where a template without generation blocks writes an earlier
    turn otherwise once others follow: what the answer is cannot be told.
    """
    ids, trained = tokenizer.encode_chat(messages)
    assert tokenizer.chat_template is not None
    places = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    if not marks_answers(tokenizer.chat_template):
        for at in places:
            trained[_answer(tokenizer, messages[: at + 1], ids)] = at not in masked
        return ids, trained
    if masked:
        runs = _runs(trained)
        for number, at in enumerate(places):
            if at in masked:
                same = len(runs) == len(places)
                trained[runs[number] if same else _answer(tokenizer, messages[: at + 1], ids)] = (
                    False
                )
    return ids, trained


def _runs(trained: np.ndarray) -> list[slice]:
    """Where it is True, piece by piece."""
    edges = np.flatnonzero(np.diff(trained.astype(np.int8), prepend=0, append=0)).tolist()
    return [slice(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _answer(tokenizer: Tokenizer, messages: Sequence[Message], ids: np.ndarray) -> slice:
    """Where the last of `messages` stands in `ids`, which may go on behind it."""
    prompt = tokenizer.encode_chat(messages[:-1], add_generation_prompt=True)[0]
    whole = tokenizer.encode_chat(messages)[0]
    start, same = _common(prompt, ids), _common(whole, ids)
    if start < len(prompt) - 1 and not any(one["role"] == "user" for one in messages):
        # Templates write more before a first answer than before nothing at all: a system turn.
        prompt = ids[: _common(whole, _answered_otherwise(tokenizer, messages))]
        start = _common(prompt, ids)
    # The last token may have grown together with what follows it.
    if start < len(prompt) - 1 or same < len(whole) - 1:
        raise HornbookError(
            "The chat template writes earlier turns otherwise once others follow, so the answers "
            "cannot be found; give it {% generation %} blocks."
        )
    ends = [at for at in range(start, same) if int(ids[at]) in tokenizer.stop_ids]
    return slice(start, ends[-1] + 1 if ends else same)


def _answered_otherwise(tokenizer: Tokenizer, messages: Sequence[Message]) -> np.ndarray:
    """The same conversation, whose last answer differs in its first character."""
    begin = "B" if messages[-1]["content"].lstrip().startswith("A") else "A"
    return tokenizer.encode_chat([*messages[:-1], {**messages[-1], "content": begin}])[0]


def _common(one: np.ndarray, other: np.ndarray) -> int:
    """How many ids both begin with."""
    size = min(len(one), len(other))
    differ = np.flatnonzero(one[:size] != other[:size])
    return int(differ[0]) if len(differ) else size


def with_template(folder: Path, out: Path, claim: Claim) -> tuple[Path, str]:
    """A tokenizer folder that has a chat template, and a sentence on which one.

    `folder` itself when it has one; else a copy in `out` with ChatML where the tokenizer has
    tokens for turns, and with headings where it has none. Raises HornbookError for a tokenizer
    that names no end of text either: answers would have no end.
    """
    tokenizer = Tokenizer.load(folder)
    if tokenizer.chat_template is not None:
        blocks = marks_answers(tokenizer.chat_template)
        how = "it marks the answers" if blocks else "an answer is what follows its prompt"
        return folder, f"the model's own chat template; {how}"
    if tokenizer.eos_id is None:
        raise HornbookError(f"{tokenizer.where} names no end-of-text token to end answers with.")
    chatml = any(tokenizer.decode([i]) == TURN_END for i in tokenizer.special_ids)
    with atomic_folder(out, claim) as aside:
        for name in _FILES:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, aside / name)
        begin = BOS if tokenizer.prefix else ""
        write_text(aside / "chat_template.jinja", begin + (CHATML if chatml else PLAIN))
    kind = "ChatML" if chatml else "plain headings (### Instruction, ### Response)"
    return out, f"the model has no chat template; {kind} is used and goes with it"
