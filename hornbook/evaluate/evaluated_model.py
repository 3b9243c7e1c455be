"""What is evaluated: a decoder, its tokenizer, and how it is asked for likelihoods and answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hornbook.core.progress import Progress
from hornbook.evaluate.likelihood import likelihoods
from hornbook.generate.answers import greedy_answers
from hornbook.generate.likelihoods import Likelihood, LikelihoodRequest
from hornbook.models.causal_lm import CausalLM
from hornbook.tokenize.tokenizer import Tokenizer


@dataclass
class EvaluatedModel:
    """A decoder that is evaluated. progress: told what is going on."""

    model: CausalLM
    tokenizer: Tokenizer
    progress: Progress = field(default_factory=lambda: Progress(quiet=True))

    @property
    def max_length(self) -> int:
        """Tokens that the model sees at once."""
        return self.model.config.context

    def likelihoods(
        self,
        requests: Sequence[LikelihoodRequest],
        max_length: int | None = None,
        stride: int | None = None,
    ) -> list[Likelihood]:
        """As `likelihood.likelihoods`, with a bar."""
        with self.progress.bar("scoring", len(requests), "texts") as advance:
            return likelihoods(self.model, requests, max_length, stride, advance)

    def answers(
        self, prompts: Sequence[Sequence[int]], max_tokens: int, stop: Sequence[str], chat: bool
    ) -> list[str]:
        """As `answers.greedy_answers`, with a bar."""
        with self.progress.bar("answering", len(prompts), "prompts") as advance:
            return greedy_answers(
                self.model, self.tokenizer, prompts, max_tokens, stop, chat, advance
            )
