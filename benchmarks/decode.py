"""Generation on one machine: ours against `llama-cpp-python` on the same GGUF files.

Run as `python -m benchmarks.decode --model FILE.gguf ...`, with `llama-cpp-python` built for this
processor (`CMAKE_ARGS=-DGGML_NATIVE=ON`) here, or in a Python named by `--peer-python`. `--types
q4_k_m q6_k f16` takes the (one) file in each of these types instead, as llama.cpp's own quantiser
makes them, kept in `--folder`. Two threads, medians of `--rounds`: one stream (greedy), a prompt,
eight requests together, memory; with HORNBOOK_DATA also the bits per byte of `text_wiki_en` as we
compute with a file against float32. The peer answers eight requests one after the other, as its
Python interface does.
"""

import argparse
import gzip
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import report

PROMPT = "The history of the town begins with a river crossing and a market. "
_TOKENS, _PROMPT_TOKENS, _STREAMS, _ROOM = 128, 512, 8, 1024
_SAMPLE = 30_000
"""Characters whose bits are counted."""
_THREADS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, nargs="+", required=True, help="GGUF files")
    parser.add_argument("--types", nargs="+", default=(), help="types to make of the file")
    parser.add_argument("--folder", type=Path, default=Path(), help="where these files are kept")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--processor", help="build ours for this one (-march) instead of this here")
    parser.add_argument("--only", choices=(*_WORK, "make"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.processor:
        _build_for(arguments.processor)
    if arguments.only == "make":
        _make(arguments.model[0], _made(arguments), arguments.types)
        return
    if arguments.only:
        print(json.dumps(_WORK[arguments.only](arguments.model[0], arguments.rounds)))
        return
    if arguments.types:
        _run(arguments.peer_python, "make", arguments.model[0], arguments)
    files = _made(arguments) if arguments.types else arguments.model
    found = {path.name: _compare(path, arguments) for path in files}
    report(
        ours={name: each["ours"] for name, each in found.items()},
        peers={"llama-cpp-python": {name: each["peer"] for name, each in found.items()}},
        ratio=min(each["ratio"] for each in found.values()),
        files={
            name: {key: each[key] for key in each if key not in ("ours", "peer")}
            for name, each in found.items()
        },
    )


def _compare(path: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Both sides and their ratios, larger than 1 where ours is faster, or takes more memory."""
    ours = _run(sys.executable, "ours", path, arguments)
    peer = _run(arguments.peer_python, "peer", path, arguments)
    measured = "HORNBOOK_DATA" in os.environ
    found = {
        "ours": ours,
        "peer": peer,
        "bytes": path.stat().st_size,
        "ratio": ours["tokens_per_second"] / peer["tokens_per_second"],
        "ratio_prompt": ours["prompt_tokens_per_second"] / peer["prompt_tokens_per_second"],
        "ratio_streams": ours["streams_tokens_per_second"] / peer["streams_tokens_per_second"],
        "ratio_memory": ours["peak_bytes"] / peer["peak_bytes"],
        "quality": _run(sys.executable, "quality", path, arguments) if measured else None,
    }
    ratios = (f"{key} {value:.2f}" for key, value in found.items() if key.startswith("ratio"))
    print(path.name, *ratios, file=sys.stderr)
    return found


def _made(arguments: argparse.Namespace) -> list[Path]:
    stem = arguments.model[0].stem
    return [arguments.folder / f"{stem}.{each.upper()}.gguf" for each in arguments.types]


def _make(source: Path, files: list[Path], types: list[str]) -> None:
    """The file in other types, by the peer's quantiser; what is there is left as it is."""
    import ctypes

    import llama_cpp

    for path, name in zip(files, types, strict=True):
        options = llama_cpp.llama_model_quantize_default_params()
        options.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name.upper()}")
        options.allow_requantize = True
        aside = path.with_suffix(".part")
        names = str(source).encode(), str(aside).encode()
        if not path.exists():
            if llama_cpp.llama_model_quantize(*names, ctypes.byref(options)):
                raise SystemExit(f"llama.cpp cannot make {name} of {source}")
            aside.replace(path)


def _run(python: str, what: str, path: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """One side in a process of its own."""
    command = [python, "-m", "benchmarks.decode", "--model", str(path), "--only", what]
    command += ["--rounds", str(arguments.rounds), "--folder", str(arguments.folder)]
    if what == "make":
        command += ["--types", *arguments.types]
    if arguments.processor:
        command += ["--processor", arguments.processor]
    environment = {**os.environ, "OMP_NUM_THREADS": str(_THREADS)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{what} failed ({done.returncode}): {done.stderr[-2000:]}")
    found: dict[str, Any] = {} if what == "make" else json.loads(done.stdout.splitlines()[-1])
    return found


def _build_for(processor: str) -> None:
    """Make and take our kernels for another processor that this one can stand in for."""
    from hornbook import kernels as native
    from hornbook.kernels import recipe

    named = {level.name: level.options for level in recipe.levels()}
    recipe.NATIVE = named.get(processor, (f"-march={processor}",))
    if native.build() is None:
        raise SystemExit(f"No kernels for {processor}: {native.missing()}.")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _ours(path: Path, rounds: int) -> dict[str, Any]:
    started = time.perf_counter()
    from hornbook.generate.decode import decode
    from hornbook.generate.engine import Engine
    from hornbook.generate.sampling import SamplingConfig
    from hornbook.generate.scheduler import GenerationRequest, SchedulerConfig
    from hornbook.workflows.open.generator import open_generator

    model, tokenizer = open_generator(path, "cpu")  # threads are OMP_NUM_THREADS
    short = tokenizer.encode(PROMPT)
    long = (short * (_PROMPT_TOKENS // len(short) + 1))[:_PROMPT_TOKENS]
    config = SamplingConfig(temperature=0, max_tokens=_TOKENS)

    def stream() -> tuple[float, list[int]]:
        ids, begun = [], 0.0
        for step in decode(model, [short], config, frozenset()):
            begun = begun or time.perf_counter()
            ids.append(step.id)
        return (len(ids) - 1) / (time.perf_counter() - begun), ids

    def prompt() -> float:
        begun = time.perf_counter()
        next(iter(decode(model, [long], config, frozenset())))
        return len(long) / (time.perf_counter() - begun)

    def streams() -> float:
        engine = Engine(model, SchedulerConfig(slots=_STREAMS), capacity=_ROOM // 2)
        for i in range(_STREAMS):
            engine.submit(
                GenerationRequest([*short, *tokenizer.encode(f" {i}")], config, frozenset())
            )
        begun = time.perf_counter()
        count = 0
        while not engine.idle:
            count += len(engine.step())
        return count / (time.perf_counter() - begun)

    first = stream()
    ready = time.perf_counter() - started
    single = [stream()[0] for _ in range(rounds)]
    prompts = [prompt() for _ in range(rounds)]
    peak = _peak()  # as the peer: of one stream and a long prompt
    together = [streams() for _ in range(rounds)]
    return {
        "tokens_per_second": median(single),
        "prompt_tokens_per_second": median(prompts),
        "streams_tokens_per_second": median(together),
        "spread": {"stream": single, "prompt": prompts, "streams": together},
        "peak_bytes": peak,
        "peak_bytes_of_eight_streams": _peak(),
        "seconds_to_first_answer": ready,
        "text": tokenizer.decode(first[1])[:200],
    }


def _peer(path: Path, rounds: int) -> dict[str, Any]:
    started = time.perf_counter()
    from llama_cpp import Llama

    llama = Llama(
        str(path),
        n_ctx=_ROOM,
        n_threads=_THREADS,
        n_threads_batch=_THREADS,
        n_batch=_PROMPT_TOKENS,
        verbose=False,
    )
    short = llama.tokenize(PROMPT.encode(), add_bos=False)
    long = (short * (_PROMPT_TOKENS // len(short) + 1))[:_PROMPT_TOKENS]

    def stream(ids: list[int], count: int) -> tuple[float, list[int]]:
        llama.reset()
        found: list[int] = []
        begun = 0.0
        for token in llama.generate(ids, temp=0.0, repeat_penalty=1.0, reset=True):
            begun = begun or time.perf_counter()
            found.append(token)
            if len(found) == count:
                break
        return (len(found) - 1) / (time.perf_counter() - begun), found

    def prompt() -> float:
        llama.reset()
        begun = time.perf_counter()
        llama.eval(long)
        return len(long) / (time.perf_counter() - begun)

    def streams() -> float:
        begun = time.perf_counter()
        for i in range(_STREAMS):
            stream([*short, *llama.tokenize(f" {i}".encode(), add_bos=False)], _TOKENS)
        return _STREAMS * _TOKENS / (time.perf_counter() - begun)

    first = stream(short, _TOKENS)
    ready = time.perf_counter() - started
    single = [stream(short, _TOKENS)[0] for _ in range(rounds)]
    prompts = [prompt() for _ in range(rounds)]
    together = [streams() for _ in range(rounds)]
    return {
        "tokens_per_second": median(single),
        "prompt_tokens_per_second": median(prompts),
        "streams_tokens_per_second": median(together),
        "spread": {"stream": single, "prompt": prompts, "streams": together},
        "peak_bytes": _peak(),
        "seconds_to_first_answer": ready,
        "text": llama.detokenize(first[1]).decode(errors="replace")[:200],
    }


def _quality(path: Path, rounds: int) -> dict[str, Any]:
    """Bits per byte of encyclopedia text as we compute with the file, and with its floats."""
    import numpy as np
    import torch

    from hornbook.models.causal_lm import CausalLM
    from hornbook.models.folder import load_model
    from hornbook.workflows.open.generator import open_generator

    torch.set_num_threads(_THREADS)
    folder = Path(os.environ["HORNBOOK_DATA"]) / "text_wiki_en"
    with gzip.open(next(folder.glob("wiki_demo*.gz")), "rt", encoding="utf-8") as text:
        sample = text.read(_SAMPLE)
    model, tokenizer = open_generator(path, "cpu")
    ids = np.array(tokenizer.encode(sample))
    windows = ids[: len(ids) // _PROMPT_TOKENS * _PROMPT_TOKENS].reshape(-1, _PROMPT_TOKENS)
    size = len(tokenizer.decode_bytes(windows.flatten().tolist()))

    def bits(logits: Callable[[np.ndarray], torch.Tensor]) -> float:
        nats = 0.0
        for row in windows:
            wanted = torch.from_numpy(row[1:, None])
            nats -= float(logits(row[:-1]).log_softmax(-1).gather(1, wanted).sum())
        return nats / math.log(2) / size

    ours = bits(lambda row: torch.from_numpy(model.sequences(1).check(0, row.tolist())))
    floats = load_model(path)
    assert isinstance(floats, CausalLM)
    with torch.inference_mode():
        exact = bits(lambda row: floats(torch.from_numpy(row)[None])[0].float())
    return {"float32": exact, "ours": ours, "change": ours / exact - 1, "bytes": size}


_WORK = {"ours": _ours, "peer": _peer, "quality": _quality}


if __name__ == "__main__":
    main()
