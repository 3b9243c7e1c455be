"""One answer as it is told: its text, and the calls of tools in it, which are no text."""

from typing import NamedTuple

from hornbook.generate.call_form import CallForm
from hornbook.generate.conversation import finish_reason_of
from hornbook.generate.tools import CalledTool, CallReader
from hornbook.serve.delivery import AnswerPart


class SaidPart(NamedTuple):
    """What a part of an answer says. finished: why it is the last, as OpenAI's API has it."""

    text: str
    calls: list[CalledTool]
    finished: str | None


class SaidAnswer:
    """text, calls: so far. finished: why it ended, or None."""

    def __init__(self, form: CallForm | None) -> None:
        self._reader = None if form is None else CallReader(form)
        self.text = ""
        self.finished: str | None = None
        self.calls: list[CalledTool] = []

    def take(self, part: AnswerPart) -> SaidPart:
        """What the next part says."""
        text, calls = part.text, list[CalledTool]()
        if self._reader is not None:
            text = self._reader.push(part.text)
            if part.finished:
                rest, calls = self._reader.end()
                text += rest
        self.text += text
        self.calls += calls
        if part.finished:
            self.finished = finish_reason_of(part.finished, self.calls)
        return SaidPart(text, calls, self.finished)
