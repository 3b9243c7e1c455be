"""A model that writes text, ready to use: it continues a text, or answers in a conversation."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Unpack, overload

from hornbook.core.errors import HornbookError, UsageError
from hornbook.generate.constrain import Constrainer, GrammarState
from hornbook.generate.decide import Decider, Decision
from hornbook.generate.decode import SequenceModel
from hornbook.generate.likelihoods import Likelihood, LikelihoodRequest, likelihoods_of
from hornbook.generate.native_decoder import NativeDecoder
from hornbook.generate.speculate import Drafter, ModelDrafter, PromptLookup
from hornbook.generate.text import Answer, Writing, continue_text, reply_to, write_together
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.open.asked import CUT, LOOKUP, AnswerOptions, Asked, Asks, asked, asks
from hornbook.workflows.open.generator import open_generator
from hornbook.workflows.open.opened import Opened, texts_of, wrong_kind

Messages = Sequence[Mapping[str, str]]
"""A conversation: mappings with `role` ("system", "user" or "assistant") and `content`."""


class Stream(Iterator[str]):
    """Pieces of an answer as they come. answer: what there is of it so far."""

    def __init__(self, answer: Answer, pieces: Iterator[str]) -> None:
        self.answer, self._pieces = answer, pieces

    def __next__(self) -> str:
        return next(self._pieces)


class _Begun(NamedTuple):
    writing: Writing
    course: GrammarState | None


class Decoder(Opened):
    """A model that writes text.

    tokenizer: its own. Options are those of `AnswerOptions`, by the command line's names; what a
    prompt gives does not depend on those beside it.
    """

    kind, abilities = "a decoder", ("generate", "chat", "stream", "decide")

    def __init__(
        self, path: Path, model: SequenceModel, tokenizer: Tokenizer, device: str | None = None
    ) -> None:
        super().__init__(path)
        self.model, self.tokenizer, self._device = model, tokenizer, device
        self._constrainers: dict[frozenset[int], Constrainer] = {}
        self._drafters: dict[str, Decoder] = {}
        self._decider: Decider | None = None

    @property
    def context(self) -> int:
        """The most tokens of prompt and answer together."""
        return self.model.context

    @overload
    def generate(self, prompts: str, **options: Unpack[AnswerOptions]) -> str: ...  # type: ignore[overload-overlap]
    @overload
    def generate(self, prompts: Iterable[str], **options: Unpack[AnswerOptions]) -> list[str]: ...
    def generate(
        self, prompts: str | Iterable[str], **options: Unpack[AnswerOptions]
    ) -> str | list[str]:
        """What follows a text, or each of several, which are written side by side.

        An empty text is the beginning of a document. Raises UsageError for an option that is
        unknown or off, and HornbookError for a text that does not fit, or an answer that was cut
        off before it was what `json_schema`, `regex` or `choices` ask for.
        """
        several = [prompts] if isinstance(prompts, str) else list(texts_of(prompts))
        found = [_whole(answer) for answer in self.answers(several, **options)]
        return found[0] if isinstance(prompts, str) else found

    def chat(self, messages: str | Messages, **options: Unpack[AnswerOptions]) -> str:
        """The answer to a conversation, or to one message. Raises what `generate` raises, and
        HornbookError for a model without a chat template.

        The oldest messages are left out where the context is too short; `answers` says how many.
        """
        return _whole(self.answers([_conversation(messages)], **options)[0])

    def stream(self, prompt: str | Messages, **options: Unpack[AnswerOptions]) -> Stream:
        """Pieces of what follows a text, or of the answer to a conversation, as they come.

        `answer` of what is returned has the ids, the reason for the end and more.
        """
        wanted = asked(options, isinstance(prompt, str))
        return self._stream(self._begin(prompt, wanted), wanted)

    def answers(
        self, prompts: Iterable[str | Messages], **options: Unpack[AnswerOptions]
    ) -> list[Answer]:
        """Text, ids and the reason for the end, for each of several texts or conversations.

        An answer that was cut off before it was what is asked for is not `complete`.
        """
        wanted = [(prompt, asked(options, isinstance(prompt, str))) for prompt in prompts]
        begun = [self._begin(*one) for one in wanted]
        if len(begun) == 1 or options.get("draft") is not None:
            for one, (_, how) in zip(begun, wanted, strict=True):
                for _ in self._stream(one, how):
                    pass
        else:
            write_together(self.model, [one.writing for one in begun])
        for one in begun:
            _judge(one)
        return [one.writing.answer for one in begun]

    def decide(
        self, text: str, questions: Asks, choices: Sequence[str] | None = None
    ) -> list[Decision]:
        """The likeliest choice for each question about a text, with probabilities of all.

        questions: one, or several, which share what was read of the text; a `Question` has choices
        of its own. choices: of the others; yes or no if not given. Probabilities are corrected by
        what is said without a text (`generate.decide`). Raises UsageError for a question or choices
        that are none, and HornbookError for a question that does not fit.
        """
        return self.decider.decide(text, asks(questions, choices))

    @property
    def decider(self) -> Decider:
        """What decides by this model's likelihoods."""
        if self._decider is None:
            self._decider = Decider(self.tokenizer, self.context, self.likelihoods)
        return self._decider

    def likelihoods(
        self,
        requests: Sequence[LikelihoodRequest],
        advance: Callable[[int], None] = lambda requests: None,
    ) -> list[Likelihood]:
        """How likely each target is after its context; a common beginning is read once."""
        if isinstance(self.model, NativeDecoder):
            return likelihoods_of(self.model, requests, advance)
        from hornbook.evaluate.likelihood import likelihoods
        from hornbook.models.causal_lm import CausalLM

        if isinstance(self.model, CausalLM):
            return likelihoods(self.model, requests, advance=advance)
        return likelihoods_of(self.model, requests, advance)

    def _begin(self, prompt: str | Messages, wanted: Asked) -> _Begun:
        if isinstance(prompt, str):
            answer, stop_ids = continue_text(self.tokenizer, prompt)
        else:
            answer, stop_ids = reply_to(self.tokenizer, _conversation(prompt), self.context)
        course = self._constrainer(stop_ids).start(wanted.rule) if wanted.rule else None
        return _Begun(Writing(self.tokenizer, answer, stop_ids, wanted.config, course), course)

    def _stream(self, begun: _Begun, wanted: Asked) -> Stream:
        drafter = self.drafter(wanted.draft)

        def pieces() -> Iterator[str]:
            yield from begun.writing.stream(self.model, drafter)
            _judge(begun)

        return Stream(begun.writing.answer, pieces())

    def _constrainer(self, stop_ids: frozenset[int]) -> Constrainer:
        """Kept, as making one takes a third of a second."""
        if stop_ids not in self._constrainers:
            made = Constrainer(self.tokenizer, self.model.vocab, stop_ids)
            self._constrainers[stop_ids] = made
        return self._constrainers[stop_ids]

    def drafter(self, draft: str | Path | Opened | None) -> Drafter | None:
        """Who guesses ahead: the text so far, or a model, opened once.

        Raises what `open_decoder` raises, and UsageError for a model with another tokenizer.
        """
        if draft is None:
            return None
        if draft == LOOKUP:
            return PromptLookup()
        if isinstance(draft, Opened) and not isinstance(draft, Decoder):
            raise wrong_kind(draft.path, type(draft), "generate")
        if not isinstance(draft, Decoder):
            name = str(draft)
            if name not in self._drafters:
                self._drafters[name] = open_decoder(Path(name), self._device)
            draft = self._drafters[name]
        if draft.tokenizer.fingerprint != self.tokenizer.fingerprint:
            raise UsageError(
                f"{draft.path} has another tokenizer: its guesses would be of other tokens."
            )
        return ModelDrafter(draft.model)


def open_decoder(
    path: Path,
    device: str | None = None,
    weights: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Decoder:
    """As `open_generator`, which says what the arguments mean and what is raised."""
    return Decoder(path, *open_generator(path, device, weights, say), device)


def _conversation(messages: str | Messages) -> Messages:
    """Raises UsageError for what is no conversation."""
    turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
    for turn in turns:
        known = isinstance(turn, Mapping) and {"role", "content"} <= turn.keys()
        if not known or not all(isinstance(turn[key], str) for key in ("role", "content")):
            raise UsageError(
                f"A message is a mapping with 'role' and 'content', both texts, not {turn!r:.80}."
            )
    if not turns:
        raise UsageError("A conversation needs a message.")
    return turns


def _judge(begun: _Begun) -> None:
    """Note whether an answer is all that its rule asks for."""
    answer = begun.writing.answer
    answer.complete = begun.course is None or begun.course.is_whole(answer.token_ids)


def _whole(answer: Answer) -> str:
    """The text. Raises HornbookError where it is not what was asked for."""
    if not answer.complete:
        raise HornbookError(CUT)
    return answer.text
