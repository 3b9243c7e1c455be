"""What is asked of an answer: how it is drawn, how long it is, and what it must be.

The options of `hornbook generate` and `hornbook chat`, by the same names, and the questions of
`hornbook decide`. Opens no model.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from hornbook.core.errors import UsageError
from hornbook.generate import constrain
from hornbook.generate.decide import Question, question_of
from hornbook.generate.sampling import SamplingConfig
from hornbook.workflows.open.opened import Opened

CUT = "The answer was cut off before it was whole; raise --max-tokens."
LOOKUP = "lookup"
"""The drafter that guesses from the text so far."""

TOP_P, TEMPERATURE, CHAT_TEMPERATURE = 0.95, 0.8, 0.7
"""Of draws, where nothing is said."""


Asks = str | Question | Sequence[str | Question]
"""One question about a text, or several."""


class AnswerOptions(TypedDict, total=False):
    """Options of an answer, as the command line has them.

    max_tokens: at most so many (200). temperature: 0 is greedy, higher is more varied (0.8, in a
    conversation 0.7). top_k, top_p, min_p: draw from the k likeliest tokens, from the smallest set
    with this probability (0.95), from those with at least this share of the likeliest.
    presence_penalty, frequency_penalty, repetition_penalty, repetition_window: what it costs to
    repeat (nothing). logit_bias: by a token's id, what is added to its logit; a mapping, or texts
    "ID=BIAS". top_logprobs: give log-probabilities, of each token and so many of the likeliest, in
    `Answer.logprobs`. seed: the same one draws the same text (0). stop: texts that end the answer.
    json_schema, regex, choices: what the answer must be, one of them; a schema may be a mapping,
    its text or its file. draft: who guesses ahead, "lookup" or a smaller model with the same
    tokenizer.
    """

    max_tokens: int
    temperature: float
    top_k: int | None
    top_p: float
    min_p: float
    presence_penalty: float
    frequency_penalty: float
    repetition_penalty: float
    repetition_window: int
    logit_bias: Mapping[int, float] | Sequence[str] | None
    top_logprobs: int | None
    seed: int
    stop: str | Sequence[str] | None
    json_schema: Mapping[str, Any] | str | Path | None
    regex: str | None
    choices: Sequence[str] | None
    draft: str | Path | Opened | None


class Asked(NamedTuple):
    """Options that were looked at."""

    config: SamplingConfig
    rule: constrain.Grammar | None
    draft: str | Path | Opened | None


def asked(options: Mapping[str, Any], continues: bool) -> Asked:
    """The options, looked at before any work. continues: a text goes on, it is no conversation.

    Raises UsageError naming the option that is unknown or off, or the rule that is none.
    """
    temperature = TEMPERATURE if continues else CHAT_TEMPERATURE
    values = {"temperature": temperature, "top_p": TOP_P, **options}
    schema, regex, choices = (values.pop(key, None) for key in ("json_schema", "regex", "choices"))
    draft, stop = values.pop("draft", None), values.pop("stop", None) or ()
    values["logit_bias"] = _bias(values.get("logit_bias") or {})
    values["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    config = SamplingConfig.parse(values, "sampling")
    return Asked(config, _rule(schema, regex, choices, config.stop), draft)


def _bias(given: Mapping[int, float] | Sequence[str]) -> Mapping[Any, Any]:
    """By id. Raises UsageError for a text that is not ID=BIAS."""
    if isinstance(given, Mapping):
        return given
    found = {}
    for text in given:
        id, _, bias = text.partition("=")
        try:
            found[int(id)] = float(bias)
        except ValueError:
            raise UsageError(
                f"--logit-bias {text!r} is not the id of a token and a number, as 50=-100."
            ) from None
    return found


def _rule(schema: Any, regex: Any, choices: Any, stop: Sequence[str]) -> constrain.Grammar | None:
    """What an answer must be, or None where nothing is asked for."""
    given = {"--json-schema": schema, "--regex": regex, "--choices": choices}
    names = [name for name, value in given.items() if value is not None]
    if not names:
        return None
    if len(names) > 1:
        raise UsageError(f"Give one of {', '.join(names)}, not {len(names)}.")
    if stop:
        raise UsageError(f"--stop could cut off what {names[0]} asks for; leave one out.")
    if schema is not None:
        return constrain.json_schema(schema_of(schema))
    return constrain.regex(regex) if regex is not None else constrain.choices(choices)


def schema_of(given: Mapping[str, Any] | str | Path) -> Mapping[str, Any] | str:
    """The schema itself, or the content of its file. Raises UsageError where it cannot be read."""
    if isinstance(given, Mapping) or (isinstance(given, str) and given.lstrip().startswith("{")):
        return given
    try:
        return Path(given).read_text(encoding="utf-8")
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else error.strerror
        raise UsageError(f"--json-schema {given}: the file {reason}.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{given} is not UTF-8: byte {error.start}.") from None


def asks(questions: Asks, choices: Sequence[str] | None) -> list[Question]:
    """Questions with their choices, looked at. Raises UsageError for one that is none."""
    several = [questions] if isinstance(questions, str | Question) else list(questions)
    if isinstance(choices, str):
        raise UsageError(f"Choices are several texts, not {choices!r}.")
    return [
        question_of(*each) if isinstance(each, Question) else question_of(each, choices)
        for each in several
    ]
