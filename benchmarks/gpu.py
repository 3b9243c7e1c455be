"""Training and decoding on a GPU, beside what the card can do: `python -m benchmarks.gpu`.

Training: model-FLOP utilisation of steps as runs take them (bfloat16 products, layers compiled,
Muon and AdamW) for 124 M and about 1 B parameters: arithmetic that the model needs by
`training.dial.flops_per_token`, over the fastest matrix product measured here, and over
`--peak-tflops`, what the card's maker states. Decoding: tokens a second, greedy, one stream and
several, of the same model by ours (CUDA graphs), by `transformers`, and by vLLM where it is
installed; beside the floor by which the weights and the cache are read once a token at the rate
measured here. Without a GPU it says that nothing was measured, and ends well. `--small` runs all of
it on whatever is there, with models that cost nothing: it shows that the code runs, no more.
"""

import argparse
import importlib
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import report
from hornbook.batches.batch import Batch
from hornbook.core.machine import measure_machine, memory_rate
from hornbook.generate.decode import SequenceModel, decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import save_model
from hornbook.models.graphed import graphed
from hornbook.training.dial import Plan, flops_per_token
from hornbook.training.loop import LoopConfig, train
from hornbook.training.objective import next_token
from hornbook.training.optimiser import Optimiser, OptimiserConfig
from hornbook.training.precision import compile_layers
from hornbook.training.schedule import ScheduleConfig
from hornbook.training.state import TrainState

PLANS = {
    "124M": Plan(
        preset="qwen3", vocab=50304, depth=12, width=768, heads=12, hidden=2048, context=1024,
        rows=128, micro_rows=32,
    ),
    "1B": Plan(
        preset="qwen3", vocab=50304, depth=18, width=2048, heads=16, hidden=5632, context=2048,
        rows=32, micro_rows=8,
    ),
}  # fmt: skip
SMALL = {
    "small": Plan(
        preset="qwen3", vocab=512, depth=2, width=64, heads=2, hidden=128, context=32, rows=4,
        micro_rows=2,
    ),
}  # fmt: skip
_STEPS, _UNCOUNTED = 12, 4
_PROMPT, _TOKENS, _STREAMS, _ROUNDS = 128, 256, (1, 8, 64), 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("train", "decode"), help="one half of it")
    parser.add_argument("--peak-tflops", type=float, help="bfloat16, as the card's maker states")
    parser.add_argument("--small", action="store_true", help="tiny models, on any device")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not arguments.small:
        print("no GPU here: not measured", file=sys.stderr)
        report(ours="not measured", peers="not measured", ratio=None, device="cpu")
        return
    floors = {
        "bfloat16_flops": measure_machine(device).rates["bfloat16"],
        "memory_bytes_a_second": memory_rate(device),
    }
    plans = SMALL if arguments.small else PLANS
    found: dict[str, Any] = {name: {} for name in plans}
    for name, plan in plans.items():
        if arguments.only != "decode":
            found[name]["training"] = training(plan, device, floors, arguments.peak_tflops)
        if arguments.only != "train":
            found[name]["decoding"] = decoding(plan, device, floors, arguments.small)
        print(name, found[name], file=sys.stderr)
    report(
        ours=found,
        peers="in `decoding` of each",
        ratio=None,
        floors=floors,
        device=torch.cuda.get_device_name() if device == "cuda" else "cpu",
    )


def training(
    plan: Plan, device: str, floors: dict[str, float], peak_tflops: float | None
) -> dict[str, Any]:
    """Steps on made-up tokens: what they are changes no time."""
    config = plan.config(plan.vocab)
    model = config.build().to(device)
    assert isinstance(model, CausalLM)
    if device == "cuda":
        compile_layers(model.stack)
    state = TrainState(model, Optimiser(model, OptimiserConfig(), torch.bfloat16))
    loop = LoopConfig(
        steps=_STEPS,
        micro_rows=plan.micro_rows,
        schedule=ScheduleConfig(),
        device=device,
        dtype="bfloat16",
    )
    ends: list[float] = []

    def clock(state: TrainState) -> None:
        if device == "cuda":
            torch.cuda.synchronize()
        ends.append(time.perf_counter())

    train(state, next_token, _Random(plan), loop, [clock])
    step_s = (ends[-1] - ends[_UNCOUNTED - 1]) / (_STEPS - _UNCOUNTED)
    flops = plan.rows * plan.context * flops_per_token(config) / step_s
    return {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "tokens_a_second": plan.rows * plan.context / step_s,
        "flops": flops,
        "utilisation_of_measured": flops / floors["bfloat16_flops"],
        "utilisation_of_stated": flops / (peak_tflops * 1e12) if peak_tflops else None,
        "peak_bytes": torch.cuda.max_memory_allocated() if device == "cuda" else None,
    }


class _Random:
    """The same made-up tokens at every step."""

    def __init__(self, plan: Plan) -> None:
        generator = torch.Generator().manual_seed(0)
        tokens = torch.randint(plan.vocab, (plan.rows, plan.context + 1), generator=generator)
        pos = torch.arange(plan.context)[None]
        self._batch = Batch(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), pos)

    def batch(self, step: int) -> Batch:
        return self._batch


def decoding(plan: Plan, device: str, floors: dict[str, float], small: bool) -> dict[str, Any]:
    """Tokens a second by each program, and by the floor."""
    prompt, tokens = (8, 16) if small else (_PROMPT, _TOKENS)
    streams = (1, 2) if small else _STREAMS
    model = plan.config(plan.vocab).build().to(device, torch.bfloat16).eval()
    assert isinstance(model, CausalLM)
    ours = graphed(model)
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, Path(folder) / "model")
        made: dict[str, Callable[[int], float]] = {
            "ours": lambda count: _ours(ours, count, prompt, tokens),
            "transformers": _transformers(Path(folder) / "model", device, prompt, tokens),
        }
        if device == "cuda" and importlib.util.find_spec("vllm"):
            made["vllm"] = _vllm(Path(folder) / "model", prompt, tokens)
        return {
            f"{count} streams": {
                **{name: measure(count) for name, measure in made.items()},
                "floor": _floor(model, count, prompt + tokens // 2, floors),
            }
            for count in streams
        }


def _floor(model: CausalLM, count: int, length: int, floors: dict[str, float]) -> float:
    """Tokens a second where the weights are read once a step, and of each stream its cache."""
    read = sum(w.numel() * w.element_size() for w in model.parameters())
    read += count * length * model.sequences(1, 1).bytes_of_position()
    return count * floors["memory_bytes_a_second"] / read


def _prompts(count: int, length: int, vocab: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(1)
    found: list[list[int]] = torch.randint(vocab, (count, length), generator=generator).tolist()
    return found


def _ours(model: Any, count: int, prompt: int, tokens: int) -> float:
    """By the loop that `generate` runs; from the first token to the last."""
    sequences: SequenceModel = model
    sampling, rates = SamplingConfig(temperature=0, max_tokens=tokens), []
    for _ in range(_ROUNDS + 1):
        began = 0.0
        prompts = _prompts(count, prompt, sequences.vocab)
        for done, _token in enumerate(decode(sequences, prompts, sampling, frozenset()), 1):
            if done == count:
                began = time.perf_counter()
        rates.append(count * (tokens - 1) / (time.perf_counter() - began))
    return max(rates[1:])


def _transformers(folder: Path, device: str, prompt: int, tokens: int) -> Callable[[int], float]:
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model = model.to(device).eval()

    def timed(ids: torch.Tensor, most: int) -> float:
        began = time.perf_counter()
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=most,
            min_new_tokens=most,
            do_sample=False,
            pad_token_id=0,
        )
        return time.perf_counter() - began

    def measure(count: int) -> float:
        ids = torch.tensor(_prompts(count, prompt, model.config.vocab_size), device=device)
        timed(ids, tokens)
        # The prompt is left out, as it is of ours.
        rates = [count * (tokens - 1) / (timed(ids, tokens) - timed(ids, 1)) for _ in range(2)]
        return max(rates)

    return measure


def _vllm(folder: Path, prompt: int, tokens: int) -> Callable[[int], float]:
    vllm = importlib.import_module("vllm")  # no part of the extra: it brings a torch of its own
    program = vllm.LLM(model=str(folder), skip_tokenizer_init=True, dtype="bfloat16")

    def timed(prompts: list[dict[str, list[int]]], most: int) -> float:
        sampling = vllm.SamplingParams(
            temperature=0, max_tokens=most, min_tokens=most, ignore_eos=True, detokenize=False
        )
        began = time.perf_counter()
        program.generate(prompts, sampling, use_tqdm=False)
        return time.perf_counter() - began

    def measure(count: int) -> float:
        vocab = program.llm_engine.model_config.get_vocab_size()
        prompts = [{"prompt_token_ids": ids} for ids in _prompts(count, prompt, vocab)]
        timed(prompts, tokens)
        return count * (tokens - 1) / (timed(prompts, tokens) - timed(prompts, 1))

    return measure


if __name__ == "__main__":
    main()
