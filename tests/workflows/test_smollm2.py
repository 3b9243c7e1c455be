"""The real SmolLM2-135M-Instruct, where it was pulled: it answers here as in `transformers`."""

import pytest
import torch
import transformers

from hornbook.core.home import pulled
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.models.place import resolve
from hornbook.workflows.open.model import open_model
from tests.tokenize.test_gguf_tokenizers import ODD

NAME = "smollm2-135m-instruct"
QUESTIONS = (
    "What is the capital of France?",
    "Explain gravity to a child.",
    "Write a haiku about autumn.",
    "List three uses of a hornbook.",
    "Translate to German: The weather is fine today.",
    "How do I read a file in Python?",
    "用中文介绍一下北京。",
    "什么是语言模型？",
    "Give me a recipe for pancakes.",
    "Why is the sky blue?",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not pulled(NAME).is_dir(), reason=f"not pulled here: hornbook pull {NAME}"),
]


@pytest.fixture(scope="module")
def both():
    path = resolve(pulled(NAME))
    ours = open_model(path, "cpu")
    place = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    theirs = transformers.AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
    theirs.generation_config.eos_token_id = None
    return ours, theirs, transformers.AutoTokenizer.from_pretrained(**place)


def test_the_same_ids_for_text_as_in_llama_cpp(both):
    """`transformers` leaves out how the file says that text is cut, and joins digits."""
    llama_cpp = pytest.importorskip("llama_cpp")
    there = llama_cpp.Llama(str(resolve(pulled(NAME))), vocab_only=True, verbose=False)
    for text in ODD:
        ids = there.tokenize(text.encode(), add_bos=False, special=False)
        assert both[0][1].encode(text) == ids
    there.close()


def test_the_same_ids_for_conversations(both):
    (_, tokenizer), _, theirs = both
    for question in QUESTIONS:
        messages = [{"role": "user", "content": question}]
        ids = theirs.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
        assert tokenizer.encode_chat(messages, add_generation_prompt=True)[0].tolist() == ids


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_same_fifty_greedy_ids(both, question):
    (model, tokenizer), theirs, _ = both
    messages = [{"role": "user", "content": question}]
    ids = tokenizer.encode_chat(messages, add_generation_prompt=True)[0].tolist()
    config = SamplingConfig(temperature=0, max_tokens=50)
    ours = [step.id for step in decode(model, [ids], config, frozenset())]
    found = theirs.generate(torch.tensor([ids]), max_new_tokens=50, do_sample=False, pad_token_id=0)
    assert ours == found[0, len(ids) :].tolist()
