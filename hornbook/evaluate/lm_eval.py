"""A Hornbook model as lm-eval sees one, so that its hundreds of tasks run here (extra `lm-eval`).

    import lm_eval
    from hornbook.evaluate.lm_eval import HornbookLM
    lm_eval.simple_evaluate(HornbookLM(model, tokenizer), tasks=["hellaswag"], num_fewshot=5)

What the tasks are, and where their data comes from, is lm-eval's. Needs lm-eval 0.4.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM

from hornbook.evaluate.evaluated_model import EvaluatedModel
from hornbook.generate.likelihoods import LikelihoodRequest, begin_of
from hornbook.models.causal_lm import CausalLM
from hornbook.tokenize.tokenizer import Tokenizer

_MAX_TOKENS = 256
"""Of an answer where the task does not say, as in lm-eval's own models."""


class HornbookLM(TemplateLM):  # type: ignore[misc]
    """model, tokenizer: as `workflows.open.model.open_model` gives them."""

    def __init__(self, model: CausalLM, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.evaluated, self._tokenizer = EvaluatedModel(model, tokenizer), tokenizer

    @property
    def eot_token_id(self) -> int:
        """Stands before texts that have no context."""
        return begin_of(self._tokenizer)[-1]

    @property
    def tokenizer_name(self) -> str:
        """For lm-eval's cache of requests."""
        return self._tokenizer.fingerprint

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **kwargs: Any
    ) -> list[int]:
        """Ids of ordinary text; a chat template's special tokens come by `apply_chat_template`."""
        apart = add_special_tokens is False
        return (self._tokenizer.encode if apart else self._tokenizer.encode_beginning)(string)

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """The log-probability of whole texts; windows that do not overlap, as in lm-eval."""
        asked = [
            LikelihoodRequest(
                begin_of(self._tokenizer), self._tokenizer.encode(str(request.args[0]))
            )
            for request in requests
        ]
        found = iter(
            self.evaluated.likelihoods(
                [r for r in asked if r.target], stride=self.evaluated.max_length
            )
        )
        return [next(found).logprob if request.target else 0.0 for request in asked]

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Greedy answers. Raises ValueError for a task that wants to draw."""
        found = [""] * len(requests)
        alike: dict[tuple[int, tuple[str, ...]], list[int]] = {}
        for i, request in enumerate(requests):
            alike.setdefault(_wanted(request.args[1]), []).append(i)
        for (most, stop), places in alike.items():
            begin = self._tokenizer.prefix
            most_before = self.evaluated.max_length - most - len(begin)
            texts = [str(requests[i].args[0]) for i in places]
            prompts = [
                [*begin, *self._tokenizer.encode(text)[-most_before:]] or [self.eot_token_id]
                for text in texts
            ]
            answers = self.evaluated.answers(prompts, most, stop, chat=False)
            for i, answer in zip(places, answers, strict=True):
                found[i] = answer
        return found

    def _loglikelihood_tokens(
        self,
        requests: Sequence[tuple[tuple[str, str], list[int], list[int]]],
        disable_tqdm: bool = False,
        override_bs: int | None = None,
    ) -> list[tuple[float, bool]]:
        """lm-eval has encoded context and target already."""
        asked = [LikelihoodRequest(context, target) for _, context, target in requests]
        return [(one.logprob, one.greedy) for one in self.evaluated.likelihoods(asked)]


def _wanted(options: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    """Tokens at most, and the texts that end an answer."""
    if options.get("do_sample") and options.get("temperature"):
        raise ValueError("Hornbook answers greedily here; the task asks for sampling.")
    stop = options.get("until") or ()
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    return int(options.get("max_gen_toks", _MAX_TOKENS)), stops
