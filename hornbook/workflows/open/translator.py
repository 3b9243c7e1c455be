"""A model that translates, ready to use."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict, Unpack, overload

from hornbook.core.errors import unknown
from hornbook.core.machine import pick_device
from hornbook.generate.beam import BeamConfig
from hornbook.generate.translate import Translation, translate
from hornbook.models.folder import load_model
from hornbook.models.place import resolve
from hornbook.models.prompts import Prompts, read_prompts
from hornbook.models.seq2seq import Seq2Seq
from hornbook.nn.fast_linear import with_fast_linear
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.unigram import UnigramTokenizer, open_writer
from hornbook.workflows.open.opened import Opened, texts_of


class SearchOptions(TypedDict, total=False):
    """Options of a translation, as the command line has them.

    beam: translations kept while searching; 1 is greedy (4). length_penalty: above 0 favours longer
    translations, below 0 shorter ones (1). max_tokens: of a text, at most (twice the longest
    source and 10 more). prompt: the task, by the name that the model's folder has for it; the words
    that it wants stand before each text.
    """

    beam: int
    length_penalty: float
    max_tokens: int | None
    prompt: str | None


class Translator(Opened):
    """A model that translates. tokenizer: of both languages. prompts: of its tasks, if it knows
    several."""

    kind, abilities = "a translator", ("translate",)

    def __init__(
        self,
        path: Path,
        model: Seq2Seq,
        tokenizer: Tokenizer | UnigramTokenizer,
        prompts: Prompts | None = None,
    ) -> None:
        super().__init__(path)
        self.model, self.tokenizer, self.prompts = model, tokenizer, prompts or Prompts({})

    @overload
    def translate(self, texts: str, **options: Unpack[SearchOptions]) -> str: ...  # type: ignore[overload-overlap]
    @overload
    def translate(self, texts: Iterable[str], **options: Unpack[SearchOptions]) -> list[str]: ...
    def translate(
        self, texts: str | Iterable[str], **options: Unpack[SearchOptions]
    ) -> str | list[str]:
        """The translation of a sentence, or of each of several; nothing for an empty one.

        Raises UsageError for an option that is unknown or off, and HornbookError for a sentence
        that does not fit into the context.
        """
        several = [texts] if isinstance(texts, str) else texts
        found = [each.text for each in self.translations(several, **options)]
        return found[0] if isinstance(texts, str) else found

    def translations(
        self, texts: Iterable[str], **options: Unpack[SearchOptions]
    ) -> list[Translation]:
        """As `translate`: text, ids and score of each."""
        config, prompt = search_config(options), self.prompts.of(options.get("prompt"))
        lines = [" ".join(text.split("\n")) for text in texts_of(texts)]
        return translate(self.model, self.tokenizer, lines, config, prompt)


def search_config(options: SearchOptions) -> BeamConfig:
    """Raises UsageError naming the option that is unknown or off."""
    for name in options.keys() - SearchOptions.__annotations__:
        raise unknown("option", name, SearchOptions.__annotations__)
    names = {"beam": "beams", "length_penalty": "penalty"}
    return BeamConfig.parse(
        {names.get(key, key): value for key, value in options.items() if key != "prompt"}, "search"
    )


def open_translator(path: Path, device: str | None = None) -> Translator:
    """The encoder-decoder of a model or run folder.

    device: "cpu", "cuda", or None for the best there is. Raises UsageError or HornbookError naming
    what is missing.
    """
    folder = resolve(path)
    model = load_model(folder, pick_device(device)).eval()
    assert isinstance(model, Seq2Seq)
    with_fast_linear(model)
    return Translator(path, model, open_writer(folder), read_prompts(folder))
