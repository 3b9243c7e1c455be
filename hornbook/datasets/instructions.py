"""Rows that teach a model to answer, whatever form they have; and rows that prefer one answer.

The form of a row is recognised by its keys, row by row, and said. A row of none costs itself and
is named by file and number. Knows forms; knows nothing of templates or tokens.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import UsageError
from hornbook.core.json_text import NotJson, parse_record
from hornbook.datasets.tables import FORMATS, read_rows
from hornbook.read.documents import Rejection
from hornbook.read.formats.lines import Fault
from hornbook.read.formats.table import Row
from hornbook.read.sources import format_of, name_of

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


class Found(NamedTuple):
    """What a row holds: its form and its messages."""

    form: str
    messages: Messages


def read_conversations(file: Path) -> Iterator[Conversation | Rejection]:
    """The conversations of a .json or .jsonl file, packed or not, in their order.

    Forms: `messages` [{role, content}]; `prompt` and `completion` (or `response`), texts or
    messages; Alpaca's `instruction`, `input` and `output`, with `system` and `history`; ShareGPT's
    `conversations` [{from, value}]. Raises UsageError for a missing file or another suffix.
    """
    for record in records(file):
        if isinstance(record, Rejection):
            yield record
            continue
        found = conversation_of(record.cells)
        if isinstance(found, Fault):
            yield record.rejection(name_of(file), found)
        else:
            yield Conversation(found.messages, found.form, place_of(file, record))


def read_preferences(file: Path) -> Iterator[Preference | Rejection]:
    """The pairs of answers of a file, in their order, as `read_conversations` does.

    `chosen` and `rejected` stand beside a prompt in any of the forms: texts, one message, or whole
    conversations of which only the last message differs.
    """
    for record in records(file):
        if isinstance(record, Rejection):
            yield record
            continue
        found = _preference(record.cells)
        if isinstance(found, Fault):
            yield record.rejection(name_of(file), found)
        else:
            yield found._replace(place=place_of(file, record))


def has_preferences(file: Path) -> bool:
    """Whether the first whole row of a file names a preferred answer and another."""
    for record in records(file):
        if isinstance(record, Row):
            return {"chosen", "rejected"} <= record.cells.keys()
    return False


def records(file: Path) -> Iterator[Row | Rejection]:
    """The rows of a file as they are; raises UsageError as `read_conversations` does."""
    kind = format_of(file)
    if file.is_file() and kind not in FORMATS:
        raise UsageError(
            f"{file}: conversations come as {', '.join(FORMATS)}, packed with .gz or .zst or not."
        )
    return read_rows(file)


def place_of(file: Path, record: Row) -> str:
    """File and row, for people."""
    return f"{name_of(file)}, row {record.number}"


def conversation_of(values: Any) -> Found | Fault:
    """A row's conversation, or why it has none."""
    if not isinstance(values, Mapping):
        return Fault("no conversation", f"a {type(values).__name__} instead of an object")
    found = _recognised(values)
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


def _recognised(values: Mapping[str, Any]) -> Found | Fault:
    """The first form whose keys are there; its values must be what they should be."""
    values = {name: value for name, value in values.items() if value is not None}  # of Parquet
    completion = next((key for key in _COMPLETIONS if key in values), None)
    if "messages" in values:
        found = "messages", _turns(values["messages"])
    elif "conversations" in values:
        found = "sharegpt", _with_system(values, _turns(values["conversations"]))
    elif "prompt" in values and completion:
        found = "prompt/completion", _joined(values["prompt"], values[completion])
    elif "instruction" in values and "output" in values:
        found = "alpaca", _alpaca(values, values["output"])
    else:
        return Fault("no conversation", f"found {', '.join(map(str, values))}")
    form, messages = found
    return messages if isinstance(messages, Fault) else Found(form, messages)


def _preference(values: Any) -> Preference | Fault:
    """A row's prompt with both answers, or why it has none."""
    if not isinstance(values, Mapping) or not {"chosen", "rejected"} <= values.keys():
        return Fault("no preference", "chosen and rejected are not both there")
    chosen, rejected = _side(values["chosen"]), _side(values["rejected"])
    if isinstance(chosen, Fault):
        return chosen
    if isinstance(rejected, Fault):
        return rejected
    prompt = _prompt(values)
    if isinstance(prompt, Fault):
        return prompt
    form, messages = prompt
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
    return Preference(messages, *answers, form, "")


def _prompt(values: Mapping[str, Any]) -> Found | Fault:
    """What both answers of a row answer; no messages where they bring it along."""
    found: Messages | Fault
    if "conversations" in values:
        form, found = "sharegpt", _with_system(values, _turns(values["conversations"]))
    elif "messages" in values:
        form, found = "messages", _turns(values["messages"])
    elif "instruction" in values:
        form, found = "alpaca", _alpaca(values, None)
    elif "prompt" in values:
        form, found = "prompt/completion", _joined(values["prompt"], None)
    else:
        form, found = "messages", ()
    return found if isinstance(found, Fault) else Found(form, found)


def _side(value: Any) -> Messages | Fault:
    """An answer as messages of which it is the last."""
    if isinstance(value, str):
        return ({"role": "assistant", "content": value},)
    return _turns([value] if isinstance(value, Mapping) else value)


def _turns(turns: Any) -> Messages | Fault:
    """[{role, content}] or [{from, value}] as messages; in a table's cell, as JSON."""
    if isinstance(turns, str) and turns.lstrip().startswith("["):
        try:
            turns = parse_record(turns)
        except NotJson as error:
            return Fault("no conversation", f"its messages are not JSON: {error}")
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
        if value is None and role == "assistant":
            continue
        if isinstance(value, str):
            parts.append({"role": role, "content": value})
            continue
        turns = _turns(value)
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
    history = values.get("history") or []
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
