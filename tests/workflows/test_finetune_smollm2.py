"""The real SmolLM2-135M-Instruct, tuned with LoRA within ten minutes, exported, and asked again."""

import pytest

from hornbook.core.home import pulled
from hornbook.core.progress import Progress
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.workflows.exchange.export import export
from hornbook.workflows.open.model import open_model
from hornbook.workflows.projects.answers.project import Answers
from hornbook.workflows.runs.run import run as train
from tests.data.conftest import data  # noqa: F401

NAME = "smollm2-135m-instruct"
MINUTES = 9
FORGOTTEN = 0.05
"""Bits per byte of general text that one pass may cost; 0.93 before (docs/log.md)."""
QUESTIONS = (
    "Convert 45 kilometers to meters.",
    "Rewrite the sentence in the passive voice: The cat chased the mouse.",
    "What is the capital of France?",
    "Name a synonym of happy.",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.data,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(not pulled(NAME).is_dir(), reason=f"not pulled here: hornbook pull {NAME}"),
]


@pytest.fixture(scope="module")
def tuned(data, tmp_path_factory):  # noqa: F811
    run = tmp_path_factory.mktemp("smollm2") / "run"
    rows = data / "instruct_small/instruction-data.json"
    project = Answers(pulled(NAME), rows)
    request = project.request({"method": "lora", "minutes": MINUTES, "device": "cpu"})
    facts = train(project, run, request, progress=Progress())
    return run, facts


def greedy(model, ids):
    config = SamplingConfig(temperature=0, max_tokens=40)
    return [step.id for step in decode(model, [ids], config, frozenset())]


def test_answers_get_better_and_little_is_forgotten(tuned):
    _, facts = tuned
    assert facts["held_out"]["change"]["high"] < 0
    assert facts["general"]["change"]["high"] < FORGOTTEN


def test_the_exported_file_answers_the_same(tuned, tmp_path):
    """Here, and through llama.cpp where it is installed: the same prompt ids, the same greedy."""
    run, _ = tuned
    file = tmp_path / "tuned.gguf"
    certificate = export(run, "gguf", "f32", file, None, Progress(quiet=True))
    assert certificate["parity"]["same_greedy"]
    (model, tokenizer), (again, others) = open_model(run, "cpu"), open_model(file, "cpu")
    asked = [[{"role": "user", "content": question}] for question in QUESTIONS]
    prompts = [tokenizer.encode_chat(m, add_generation_prompt=True)[0].tolist() for m in asked]
    assert prompts == [others.encode_chat(m, add_generation_prompt=True)[0].tolist() for m in asked]
    answers = [greedy(model, ids) for ids in prompts]
    assert answers == [greedy(again, ids) for ids in prompts]
    llama_cpp = pytest.importorskip("llama_cpp")
    there = llama_cpp.Llama(str(file), n_ctx=512, verbose=False)
    for ids, answer in zip(prompts, answers, strict=True):
        text = tokenizer.decode(ids)
        assert there.tokenize(text.encode(), add_bos=False, special=True) == ids
        there.reset()
        found = there.generate(ids, temp=0.0)
        assert [next(found) for _ in answer] == answer
    there.close()
