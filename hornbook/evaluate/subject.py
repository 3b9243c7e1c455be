"""What is evaluated: a decoder, its tokenizer, and how it is asked for likelihoods and answers.

Knows models through `likelihood` and `generate`; knows nothing of tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hornbook.core.progress import Progress
from hornbook.evaluate.likelihood import Likelihood, Request, likelihoods
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.text import first_stop
from hornbook.models.causal_lm import CausalLM
from hornbook.tokenize.tokenizer import Tokenizer

_STATE_TOKENS, _MOST_ROWS = 16_384, 16
"""Of the states of one batch: 750 MB of keys and values for SmolLM2-135M in float32."""


@dataclass
class Subject:
    """A decoder that is evaluated. progress: told what is going on."""

    model: CausalLM
    tokenizer: Tokenizer
    progress: Progress = field(default_factory=lambda: Progress(quiet=True))

    @property
    def room(self) -> int:
        """Tokens that the model sees at once."""
        return self.model.config.context

    def likelihoods(
        self, requests: Sequence[Request], room: int | None = None, stride: int | None = None
    ) -> list[Likelihood]:
        """As `likelihood.likelihoods`, with a bar."""
        with self.progress.bar("scoring", len(requests), "texts") as advance:
            return likelihoods(self.model, requests, room, stride, advance)

    def answers(
        self, prompts: Sequence[Sequence[int]], max_tokens: int, stop: Sequence[str], chat: bool
    ) -> list[str]:
        """Greedy answers to prompts, in order, without the stop texts that end them.

        Prompts of like length are answered together. chat: an end of turn ends them as well.
        """
        config = SamplingConfig(temperature=0.0, max_tokens=max_tokens)
        ends = self.tokenizer.stop_ids if chat else frozenset[int]()
        if self.tokenizer.eos_id is not None:
            ends |= {self.tokenizer.eos_id}
        order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
        found = [""] * len(prompts)
        with self.progress.bar("answering", len(prompts), "prompts") as advance:
            while order:
                longest = len(prompts[order[0]]) + max_tokens
                rows = max(1, min(_MOST_ROWS, _STATE_TOKENS // longest))
                batch, order = order[:rows], order[rows:]
                texts = self._together([prompts[i] for i in batch], config, ends, stop)
                for i, text in zip(batch, texts, strict=True):
                    found[i] = text
                advance(len(batch))
        return found

    def _together(
        self,
        prompts: Sequence[Sequence[int]],
        config: SamplingConfig,
        ends: frozenset[int],
        stop: Sequence[str],
    ) -> list[str]:
        ids: list[list[int]] = [[] for _ in prompts]
        steps = decode(self.model, prompts, config, ends)
        step = next(steps, None)
        while step is not None:
            if step.id not in ends:
                ids[step.row].append(step.id)
            enough = first_stop(self.tokenizer.decode(ids[step.row]), stop) is not None
            try:
                step = steps.send(enough)
            except StopIteration:
                break
        texts = [self.tokenizer.decode(row) for row in ids]
        return [text[: first_stop(text, stop)] for text in texts]
