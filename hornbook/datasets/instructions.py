"""Rows that teach a model to answer, whatever form they have; and rows that prefer one answer.

The form of a row is recognised by its keys, row by row, and said. A row of none costs itself and is
named by file and number.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.datasets.columns import as_text, opened
from hornbook.datasets.tables import read_as, read_rows
from hornbook.read.documents import Rejection
from hornbook.read.formats.lines import Fault
from hornbook.read.formats.table import Row
from hornbook.read.sources import name_of

FORM_NAMES = ("messages", "conversations", "prompt", "instruction")
"""Columns of which one tells that rows are conversations."""
FORMS = ("messages", "prompt/completion", "alpaca", "sharegpt")

Message = dict[str, str]
Messages = tuple[Message, ...]

_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
}
"""Who speaks, by the names in use (OpenAI's and ShareGPT's)."""
_COMPLETIONS = ("completion", "response")


MASKED = "masked"
"""Key of an assistant's message that is read and not learned: `weight: 0`, `train: false`."""
_LEARNED = ("weight", "train", "training", "loss")


class Conversation(NamedTuple):
    """Messages with `role` (system, user, assistant) and `content`; some answer is among them.

    An answer that its row says is not to be learned has the key MASKED.

    form: one of FORMS. place: file and number of the row, for messages to people.
    """

    messages: Messages
    form: str
    place: str


class Preference(NamedTuple):
    """A prompt, the answer that was preferred and one that was not; form, place as above."""

    prompt: Messages
    chosen: str
    rejected: str
    form: str
    place: str


class AskedRow(NamedTuple):
    """What a row asks, up to where an answer begins, and the answer that it brings, or None; form,
    place as above."""

    prompt: Messages
    answer: str | None
    form: str
    place: str


def read_conversations(file: Path) -> Iterator[Conversation | Rejection]:
    """The conversations of a table of any format, in their order.

    Forms: `messages` [{role, content}]; `prompt` and `completion` (or `response`), texts or
    messages; Alpaca's `instruction`, `input` and `output`, with `system` and `history`; ShareGPT's
    `conversations` [{from, value}]. Raises UsageError for a missing file or another suffix.
    """
    return read_as(file, lambda row: conversation_of(row.cells, place_of(file, row)))


def read_preferences(file: Path) -> Iterator[Preference | Rejection]:
    """The pairs of answers of a file, in their order, as `read_conversations` does.

    `chosen` and `rejected` stand beside a prompt in any of the forms: texts, one message, or whole
    conversations of which only the last message differs.
    """
    return read_as(file, lambda row: _preference(row.cells, place_of(file, row)))


def has_preferences(file: Path) -> bool:
    """Whether the first whole row of a file names a preferred answer and another."""
    first = next((row for row in read_rows(file) if isinstance(row, Row)), None)
    return first is not None and {"chosen", "rejected"} <= first.cells.keys()


def place_of(file: Path, row: Row) -> str:
    """File and row, for people."""
    return f"{name_of(file)}, row {row.number}"


def conversation_of(cells: Mapping[str, Any], place: str) -> Conversation | Fault:
    """A row's conversation, or why it has none."""
    found = _recognised(_plain(cells), place)
    if isinstance(found, Fault):
        return found
    answers = [m["content"] for m in found.messages if m["role"] == "assistant"]
    if not answers:
        return Fault("no answer", f"{found.form} without an assistant's message")
    if not all(answer.strip() for answer in answers):
        return Fault("empty answer", found.form)
    if all(MASKED in m for m in found.messages if m["role"] == "assistant"):
        return Fault("no answer", f"{found.form} with no answer that is to be learned")
    return found


def asked_in(cells: Mapping[str, Any], place: str) -> AskedRow | Fault:
    """What a row of any form asks; the last message, where it is an assistant's, is its answer."""
    values = _plain(cells)
    form, messages = _prompt(values)
    if isinstance(messages, Fault):
        return messages
    if not messages:
        return Fault("no conversation", f"found {', '.join(map(str, values))}")
    own = next((values[name] for name in (*_COMPLETIONS, "output") if values.get(name)), None)
    answer = own if isinstance(own, str) and form in ("prompt/completion", "alpaca") else None
    if messages[-1]["role"] == "assistant":
        answer, messages = messages[-1]["content"], messages[:-1]
    if not messages or not messages[-1]["content"].strip():
        return Fault("no prompt", form)
    return AskedRow(messages, answer, form, place)


def _plain(cells: Mapping[str, Any]) -> dict[str, Any]:
    """The cells as delimited text has them, but for lists and objects."""
    texts = ((name, value, as_text(value)) for name, value in cells.items())
    return {name: value if text is None else text for name, value, text in texts}


def _recognised(values: Mapping[str, Any], place: str) -> Conversation | Fault:
    """The first form whose keys are there; its values must be what they should be."""
    completions = [key for key in _COMPLETIONS if key in values]
    completion = next((key for key in completions if values[key]), next(iter(completions), None))
    if values.get("messages"):
        form, messages = "messages", _turns(values["messages"])
    elif values.get("conversations"):
        form, messages = "sharegpt", _with_system(values, _turns(values["conversations"]))
    elif "prompt" in values and completion:
        form, messages = "prompt/completion", _joined(values["prompt"], values[completion])
    elif "instruction" in values and "output" in values:
        form, messages = "alpaca", _alpaca(values, values["output"])
    else:
        return Fault("no conversation", f"found {', '.join(map(str, values))}")
    return messages if isinstance(messages, Fault) else Conversation(messages, form, place)


def _preference(cells: Mapping[str, Any], place: str) -> Preference | Fault:
    """A row's prompt with both answers, or why it has none."""
    values = _plain(cells)
    if not {"chosen", "rejected"} <= values.keys():
        return Fault("no preference", "chosen and rejected are not both there")
    chosen, rejected = (_said(values[name], "assistant") for name in ("chosen", "rejected"))
    if isinstance(chosen, Fault):
        return chosen
    if isinstance(rejected, Fault):
        return rejected
    form, messages = _prompt(values)
    if isinstance(messages, Fault):
        return messages
    if len(chosen) > 1 and not messages:  # whole conversations on both sides
        if chosen[:-1] != rejected[:-1]:
            return Fault("no preference", "chosen and rejected answer different prompts")
        form, messages = "messages", chosen[:-1]
    answers = chosen[-1]["content"], rejected[-1]["content"]
    if not messages or messages[-1]["role"] == "assistant":
        return Fault("no preference", "there is no prompt before the answers")
    if not all(answer.strip() for answer in answers):
        return Fault("empty answer", form)
    if answers[0] == answers[1]:
        return Fault("no preference", "both answers are the same")
    return Preference(messages, *answers, form, place)


def _prompt(values: Mapping[str, Any]) -> tuple[str, Messages | Fault]:
    """The form and what both answers of a row answer; no messages where they bring it along."""
    if values.get("conversations"):
        return "sharegpt", _with_system(values, _turns(values["conversations"]))
    if values.get("messages"):
        return "messages", _turns(values["messages"])
    if values.get("instruction"):
        return "alpaca", _alpaca(values, None)
    if values.get("prompt"):
        return "prompt/completion", _joined(values["prompt"], None)
    return "messages", ()


def _said(value: Any, role: str) -> Messages | Fault:
    """A text as a message of `role`; or a message, or a list of them, also as JSON in a cell."""
    found = opened(value)
    turns = [found] if isinstance(found, Mapping) else found
    spoken = isinstance(turns, list) and all(
        isinstance(turn, Mapping) and turn.keys() & {"role", "from"} for turn in turns
    )
    if isinstance(value, str) and not (turns and spoken):
        return ({"role": role, "content": value},)
    return _turns(turns)


def _turns(turns: Any) -> Messages | Fault:
    """[{role, content}] or [{from, value}] as messages; in a table's cell, as JSON."""
    turns = opened(turns)
    if not isinstance(turns, Sequence) or isinstance(turns, str) or not turns:
        return Fault("no conversation", "its messages are no list")
    found = []
    for turn in turns:
        if not isinstance(turn, Mapping):
            return Fault("no conversation", f"a {type(turn).__name__} instead of a message")
        speaker = turn.get("role", turn.get("from"))
        content = turn.get("content", turn.get("value"))
        if not isinstance(speaker, str) or speaker.lower() not in _ROLES:
            return Fault("unknown speaker", repr(speaker))
        if not isinstance(content, str):
            return Fault("no text", f"a message of {speaker} holds none")
        message = {"role": _ROLES[speaker.lower()], "content": content}
        if message["role"] == "assistant":
            learned = _learned(turn)
            if isinstance(learned, Fault):
                return learned
            if not learned:
                message[MASKED] = "true"
        found.append(message)
    return tuple(found)


def _learned(turn: Mapping[str, Any]) -> bool | Fault:
    """Whether an answer is learned, as OpenAI's `weight` says or others' `train` and `loss`."""
    for name in _LEARNED:
        value = turn.get(name)
        if value is None:
            continue
        if value not in (0, 1):  # true and false are 1 and 0
            return Fault("unknown weight", f"{name} is {value!r}, neither 0 nor 1")
        if not value:
            return False
    return True


def _joined(prompt: Any, completion: Any) -> Messages | Fault:
    """A prompt and what completes it (None for nothing yet), texts or lists of messages."""
    parts: list[Message] = []
    for value, role in ((prompt, "user"), (completion, "assistant")):
        turns = () if value is None else _said(value, role)
        if isinstance(turns, Fault):
            return turns
        parts += turns
    return tuple(parts)


def _alpaca(values: Mapping[str, Any], output: Any) -> Messages | Fault:
    """Alpaca's row: the input stands under the instruction, earlier turns before both."""
    texts = [values["instruction"], values.get("input") or ""]
    if output is not None:
        texts.append(output)
    if not all(isinstance(text, str) for text in texts):
        return Fault("no text", "instruction, input and output must be texts")
    parts: list[Message] = []
    history = opened(values.get("history") or [])
    if not isinstance(history, Sequence) or isinstance(history, str):
        return Fault("no conversation", "history is no list of pairs")
    for pair in history:
        if not (isinstance(pair, Sequence) and len(pair) == 2 and all(map(_is_text, pair))):
            return Fault("no conversation", "history is no list of pairs")
        parts += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    question = "\n\n".join(text for text in texts[:2] if text.strip())
    parts.append({"role": "user", "content": question})
    if output is not None:
        parts.append({"role": "assistant", "content": texts[2]})
    return _with_system(values, tuple(parts))


def _with_system(values: Mapping[str, Any], messages: Messages | Fault) -> Messages | Fault:
    """With the row's system message in front, if it has one."""
    system = values.get("system")
    if isinstance(messages, Fault) or not isinstance(system, str) or not system.strip():
        return messages
    return ({"role": "system", "content": system}, *messages)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
