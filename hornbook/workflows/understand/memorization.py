"""What a trained model remembers of its text: planted secrets, membership, verbatim overlap."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.files import write_json
from hornbook.core.progress import Progress
from hornbook.core.stats import Estimate, bootstrap_ratio
from hornbook.evaluate.likelihood import likelihoods
from hornbook.explain.canaries import BITS, Canary, canaries, exposure, others
from hornbook.explain.loss_of_spans import SpanLosses
from hornbook.explain.sentence import TokenSpan, others_like
from hornbook.explain.spans import Traced, trace
from hornbook.generate.likelihoods import LikelihoodRequest
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.text import continue_text, stream
from hornbook.models.causal_lm import CausalLM
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.projects.text.report import write_report
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.understand.opened_run import OpenedRun, final_model, opened
from hornbook.workflows.understand.trace import open_traced

_OTHERS = 512
"""Secrets drawn by chance that a planted one is compared with."""
_PASSAGE, _ROUNDS = 32, 1000
"""Tokens of a passage whose membership is guessed, and rounds of the bootstrap."""


@dataclass(frozen=True)
class MemorizationConfig:
    """samples: texts that the model writes. passages: of each side, whose loss is compared."""

    samples: int = 20
    passages: int = 200
    tokens: int = 100
    seed: int = 0


def memorization(folder: Path, config: MemorizationConfig, progress: Progress) -> dict[str, Any]:
    """What docs/schemas/memorization.json says, kept in the run and put into its report. Raises
    UsageError for a folder that is no finished run on text."""
    with opened(folder, progress) as run:
        model = final_model(run).eval()
        report = run.folder / layout.REPORT
        found = {
            "run": str(run.folder),
            "canaries": _canaries(run, model, config.seed),
            "membership": _membership(run, model, config),
            "overlap": _overlap(run, model, config, progress),
            "report": str(report),
        }
        write_json(run.folder / layout.MEMORIZATION, found)
        write_report(report, run.problem.corpus, run.folder, run.result)
        return found


def _canaries(run: OpenedRun, model: CausalLM, seed: int) -> dict[str, Any] | None:
    """The exposure of what was planted, by how often it was; None where nothing was."""
    request, by_copies = run.recipe.request, defaultdict(list)
    for canary in canaries(request.canaries, request.seed):
        found = _exposure(model, run.problem.tokenizer, canary, seed)
        by_copies[canary.copies].append(found)
    if not by_copies:
        return None
    return {
        "bits": BITS,
        "planted": [
            {
                "copies": copies,
                "exposures": values,
                **bootstrap_ratio(values, [1.0] * len(values))._asdict(),
            }
            for copies, values in by_copies.items()
        ],
    }


def _exposure(model: CausalLM, tokenizer: Tokenizer, canary: Canary, seed: int) -> float:
    secrets = [canary.secret, *others(_OTHERS, seed)]
    texts = [canary._replace(secret=secret).text for secret in secrets]
    rows = [tokenizer.encode_beginning(text) for text in texts]
    shared = next(i for i, ids in enumerate(zip(*rows, strict=False)) if len(set(ids)) > 1)
    found = likelihoods(model, [LikelihoodRequest(row[:shared], row[shared:]) for row in rows])
    nats = np.array([-each.logprob for each in found])
    return exposure(float(nats[0]), nats[1:])


def _membership(
    run: OpenedRun, model: CausalLM, config: MemorizationConfig
) -> dict[str, Any] | None:
    """How often a passage that was trained on has a lower loss than one that was held out (the area
    under the curve of a test by loss, Yeom et al. 2018): 0.5 where nothing can be told."""
    sides = []
    for shards in (run.problem.train, run.problem.validation):
        first = [TokenSpan(0, _PASSAGE)]
        spans = others_like(first, config.passages, shards.tokens, config.seed)
        if len(spans) < 2:
            return None
        sides.append(SpanLosses(shards, spans, run.recipe.plan.context).nats(model))
    draw = np.random.default_rng(config.seed)
    drawn = [_area(*(draw.choice(side, len(side)) for side in sides)) for _ in range(_ROUNDS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    area = Estimate(_area(*sides), float(low), float(high))
    return {**area._asdict(), "passages": min(map(len, sides)), "tokens": _PASSAGE}


def _area(inside: np.ndarray, outside: np.ndarray) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([inside, outside]))[len(inside) :]
    wins = ranks.sum() - len(outside) * (len(outside) + 1) / 2
    return float(wins / (len(inside) * len(outside)))


def _overlap(
    run: OpenedRun, model: CausalLM, config: MemorizationConfig, progress: Progress
) -> dict[str, Any]:
    """How much of what the model writes by itself stands in the corpus."""
    corpus = open_traced(run.problem.corpus, progress)
    longest: Traced | None = None
    lengths, characters, covered = [], 0, 0
    with progress.bar("writing", config.samples, "texts") as advance:
        for number in range(config.samples):
            answer, stop_ids = continue_text(run.problem.tokenizer, "")
            sampling = SamplingConfig(seed=config.seed + number, max_tokens=config.tokens)
            for _ in stream(model, run.problem.tokenizer, answer, stop_ids, sampling):
                pass
            found = trace(corpus, answer.text, least=24, count=1, places=1)
            if longest is None or found.longest > longest.longest:
                longest = found
            lengths.append(found.longest)
            characters, covered = characters + len(answer.text), covered + found.covered
            advance(1)
    spans = longest.spans if longest else []
    return {
        "samples": config.samples,
        "characters": characters,
        "covered": covered,
        "longest": max(lengths, default=0),
        "median": float(np.median(lengths)) if lengths else 0.0,
        "text": spans[0].text if spans else "",
        "places": [place._asdict() for span in spans for place in span.places],
    }
