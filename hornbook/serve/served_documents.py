"""The documents of a server: one index, open as it is now, and the thread in which it is asked."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.core.progress import Progress
from hornbook.retrieve.index import DocumentIndex, IndexState
from hornbook.serve.config import ServeConfig
from hornbook.serve.logs import LOG
from hornbook.serve.work import WorkThread
from hornbook.workflows.documents.searching import asking

if TYPE_CHECKING:
    from hornbook.workflows.documents.asking import OpenIndex


class ServedDocuments:
    """An index, opened when it is asked for the first time, and anew after it was changed.

    work: one thread, in which all is asked.
    """

    def __init__(self, folder: Path, config: ServeConfig) -> None:
        """Raises UsageError where there is no index."""
        DocumentIndex.open(folder).close()
        self.folder, self.work = folder, WorkThread("documents", config.waiting)
        self._search: DocumentIndex | None = None
        self._ask: OpenIndex | None = None
        self._state: IndexState | None = None

    def to_search(self) -> DocumentIndex:
        """The index as it is now."""
        self._let_go_of_older()
        if self._search is None:
            encode = asking(self.folder, "both", partial(LOG.info, "%s"))
            self._search = DocumentIndex.open(self.folder, encode)
            self._state = self._search.state()
        return self._search

    def to_ask(self) -> "OpenIndex":
        """The same, ready to answer."""
        from hornbook.workflows.documents.asking import OpenIndex

        self.to_search()
        if self._ask is None:
            self._ask = OpenIndex(self.folder, Progress(quiet=True))
        return self._ask

    def close(self) -> None:
        """Let go of it, when what is asked of it is answered."""
        self.work.close()
        self._let_go()

    def _let_go_of_older(self) -> None:
        if self._search is not None and self._search.state() != self._state:
            self._let_go()

    def _let_go(self) -> None:
        if self._search is not None:
            self._search.close()
        if self._ask is not None:
            self._ask.index.close()
        self._search = self._ask = None
