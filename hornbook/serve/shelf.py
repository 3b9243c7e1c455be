"""The models of a server, by name: opened when they are asked for, closed when room is needed.

A client's name is looked up among those that the server was started with, and never becomes part
of a path.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hornbook import kernels
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.machine import memory_bytes
from hornbook.models.place import linear_folder, resolve
from hornbook.serve.config import ServeConfig
from hornbook.serve.errors import RequestRefused, busy, unknown_model
from hornbook.serve.logs import LOG
from hornbook.serve.served import ServedModel
from hornbook.workflows.open.load import kind_of, load

if TYPE_CHECKING:
    from hornbook.workflows.open.opened import Opened

_T = TypeVar("_T")
_GROWTH = {".gguf": 1.2, ".safetensors": 2.0}
"""What an opened model takes of memory for a byte of its files: codes stay codes, and floats of 16
bits become 32."""


class Shelf:
    """Which models there are, and which of them are open.

    clerk: one thread in which models are opened and prompts are made ready, one after another, as
    a template's memory is limited for the whole process.
    """

    def __init__(
        self,
        places: Mapping[str, Path],
        config: ServeConfig,
        device: str | None = None,
        weights: str | None = None,
        memory: Callable[[], float] | None = None,
    ) -> None:
        """places: where each model is, by its name. memory: bytes that models may take."""
        self.places, self._config = dict(places), config
        self._device, self._weights = device, weights
        self._memory = memory or (lambda: 0.8 * memory_bytes())
        self.kinds: dict[str, type[Opened]] = {n: kind_of(p) for n, p in self.places.items()}
        self.created = {name: int(_files(p)[0].stat().st_mtime) for name, p in self.places.items()}
        self.open: dict[str, ServedModel] = {}
        self._opening = asyncio.Lock()
        self.clerk = ThreadPoolExecutor(1, thread_name_prefix="clerk")

    def add(self, name: str, place: Path) -> None:
        """One more model, which nobody has opened yet. Raises UsageError where there is none."""
        self.kinds[name] = kind_of(place)
        self.created[name] = int(_files(place)[0].stat().st_mtime)
        self.places[name] = place

    async def ask_clerk(self, work: Callable[[], _T]) -> _T:
        """Do some work in the clerk's thread."""
        return await asyncio.get_running_loop().run_in_executor(self.clerk, work)

    def names_that(self, ability: str) -> list[str]:
        """The models that can do something."""
        return [name for name, kind in self.kinds.items() if ability in kind.abilities]

    def name_for(self, asked: str | None, ability: str, route: str) -> str:
        """The model that is meant; without a name the first that can do it.

        Raises RequestRefused for one that is not there, or cannot.
        """
        able = self.names_that(ability)
        if asked is None:
            if not able:
                raise RequestRefused(
                    f"No model of this server can do {route}.", "model", "model_not_found", 404
                )
            return able[0]
        if asked not in self.places:
            raise unknown_model(asked, list(self.places))
        if asked not in able:
            kind, others = self.kinds[asked].kind, ", ".join(able)
            instead = f" Ask {others}." if able else ""
            raise RequestRefused(f"{asked!r} is {kind}: it cannot do {route}.{instead}", "model")
        return asked

    @contextlib.asynccontextmanager
    async def lease(
        self, asked: str | None, ability: str, route: str
    ) -> AsyncIterator[ServedModel]:
        """A model, open as long as it is used. Raises what `name_for` raises, and 429 where all
        room is taken by models in use."""
        name = self.name_for(asked, ability, route)
        model = self.open.get(name)
        if model is None:  # one that is open waits for no other to be opened
            async with self._opening:
                model = self.open.get(name) or await self._opened(name)
        model.users += 1
        model.used = time.monotonic()
        try:
            yield model
        finally:
            model.users -= 1
            model.used = time.monotonic()

    async def _opened(self, name: str) -> ServedModel:
        await self._make_room(name)
        try:
            self.open[name] = await self.ask_clerk(partial(self.open_now, name))
        except HornbookError as error:
            LOG.error("%s cannot be opened: %s", name, error)
            raise RequestRefused(
                f"The model {name!r} cannot be opened; the server's log says why.", "model",
                "model_broken", 503,
            ) from None  # fmt: skip
        return self.open[name]

    def open_now(self, name: str) -> ServedModel:
        """Open a model in this thread. Raises what `load` raises."""
        decodes = self.kinds[name].kind == "a decoder"
        weights = self._weights if decodes else None
        if decodes and self._device in (None, "cpu"):
            _build_kernels()
        say = partial(LOG.info, "%s: %s", name)
        opened: Any = load(self.places[name], device=self._device, weights=weights, say=say)
        return ServedModel(name, opened, self._config)

    async def _make_room(self, name: str) -> None:
        """Close models that nobody uses, the least used first, until another one fits."""
        while self._taken(*self.open, name) > self._memory() and self.open:
            unused = [model for model in self.open.values() if not model.users]
            if not unused:
                raise busy(f"There is no room for {name!r} beside the models that are in use.")
            oldest = min(unused, key=lambda model: model.used)
            del self.open[oldest.name]
            await asyncio.get_running_loop().run_in_executor(None, oldest.close)
            LOG.info("%s leaves", oldest.name)

    def _taken(self, *names: str) -> float:
        return sum(
            file.stat().st_size * _GROWTH.get(file.suffix, 1.0)
            for name in names
            for file in _files(self.places[name])
        )

    def close(self) -> None:
        """Close all models."""
        for model in self.open.values():
            model.close()
        self.open.clear()
        self.clerk.shutdown(wait=True, cancel_futures=True)


def _build_kernels() -> None:
    """A command goes on without kernels that are not there yet, and the next one finds them; a
    server would be slow for all its life."""
    if kernels.library() is None:
        LOG.info("building kernels for this machine, once")
        with contextlib.suppress(HornbookError):  # nothing can be written: it goes on without
            kernels.build()


def _files(place: Path) -> list[Path]:
    """The files of a model's weights, or of what it has in their place."""
    found = linear_folder(place) or resolve(place)
    if found.is_file():
        return [found]
    return sorted(found.glob("*.safetensors")) or sorted(p for p in found.iterdir() if p.is_file())


def named(models: Sequence[Path]) -> dict[str, Path]:
    """Models by the names that clients call them by: that of the folder or file.

    Raises UsageError for two of one name.
    """
    found: dict[str, Path] = {}
    for path in models:
        name = path.expanduser().absolute().name.removesuffix(".gguf")
        if name == "model":  # of a run: its folder's name says more
            name = path.absolute().parent.name
        if name in found:
            raise UsageError(f"Two models are called {name!r}: {found[name]} and {path}.")
        found[name] = path
    return found
