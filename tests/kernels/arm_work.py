"""What the kernels give for fixed inputs, as JSON: on ARM it must be what it is on x86.

`python -m tests.kernels.arm_work results` takes every form of matrix; `... answers MODEL TOKENS`
continues 24 prompts with a GGUF file. Takes the kernels that came with the package, or with
`--level=NAME` before all, builds those of a level of this machine. No torch.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from hornbook import kernels as native
from hornbook.kernels import check, pointers, prebuilt, recipe
from hornbook.kernels.quantised import matrix_of, tiles
from hornbook.kernels.structures import FORMS

PROMPTS = """\
The capital of France is
Once upon a time, in a small village,
Water boils at
def fibonacci(n):
The history of the town begins with a river crossing and
Q: What is photosynthesis? A:
今天天气很好，
Der Hund läuft durch den
1, 2, 3, 5, 8,
Dear Sir or Madam,
The three laws of motion were
SELECT name FROM users WHERE
To make bread, you need
In 1969, the first
She opened the letter and
The opposite of hot is
import numpy as np
A triangle has three
La biblioteca está
The mitochondria is
If it rains tomorrow,
The price rose from 10 to
"Where are you going?" he
In conclusion, the evidence
""".splitlines()
_SHAPE, _ROWS = (80, 512), (1, 2, 5, 8, 23)


def results() -> dict[str, str]:
    """Hashes of products of every form with several numbers of rows, and of a decoder's passes."""
    library = native.library()
    assert library is not None, native.missing()
    found = {}
    for at, form in enumerate(FORMS):
        made = tiles(matrix_of(check._codes(_SHAPE, form, at)), check._numbers(_SHAPE[:1], at))
        matrix = pointers.matrix(made)
        for rows in _ROWS:
            x = 3 * check._numbers((rows, _SHAPE[1]), rows)
            found[f"{form} x {rows}"] = _hash(library.product(matrix, x, threads=1))
    found["passes"] = _hash(check._passed(library, check._tiny()[1], threads=2))
    return found


def answers(model: str, tokens: str) -> list[list[int]]:
    """Greedy continuations of the prompts, each alone."""
    from hornbook.generate.decode import decode
    from hornbook.generate.sampling import SamplingConfig
    from hornbook.workflows.open.generator import open_generator

    decoder, tokenizer = open_generator(Path(model), "cpu")
    config = SamplingConfig(temperature=0, max_tokens=int(tokens))
    found: list[list[int]] = [[] for _ in PROMPTS]
    for step in decode(decoder, [tokenizer.encode(each) for each in PROMPTS], config, frozenset()):
        found[step.row].append(step.id)
    return found


def _hash(x: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()[:16]


def _build(level: str) -> None:
    prebuilt.FOLDER = Path("none")
    recipe.NATIVE = next(each.options for each in recipe.levels() if each.name == level)
    native.build()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--level")
    parser.add_argument("work", choices=("results", "answers"))
    parser.add_argument("more", nargs="*")
    asked = parser.parse_args()
    if asked.level:
        _build(asked.level)
    work = {"results": results, "answers": answers}[asked.work]
    print(json.dumps({"kernels": Path(str(native.build())).stem, "found": work(*asked.more)}))
