"""Files that models are evaluated on are held out of every corpus built on this machine.

`corpus.decontaminate` reads all files of one folder of Hornbook's own; here a link is put there.
"""

import os
import shutil
from pathlib import Path

from hornbook.core.files import atomic_file, hash_file, hash_json
from hornbook.core.home import home
from hornbook.corpus.decontaminate import EVALUATIONS


def register(file: Path) -> Path | None:
    """Link the file into the folder of evaluations, or copy it where links are impossible.

    Returns the new link, or None when the file is held out already. Another file of the same name
    keeps its place: the new link's name then begins with digits of the file's place.
    """
    file = file.resolve()
    folder = home() / EVALUATIONS
    apart = f"{hash_json(str(file))[:8]}-{file.name}"
    for link in (folder / file.name, folder / apart):
        if link.exists() and (link.samefile(file) or hash_file(link) == hash_file(file)):
            return None
        if not link.exists():
            _link(link, file)
            return link
    return None


def _link(link: Path, file: Path) -> None:
    """A link that led nowhere any more is replaced."""
    aside = link.with_name(f".{link.name}.{os.getpid()}")
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        aside.symlink_to(file)
        aside.replace(link)
    except (OSError, NotImplementedError):  # some systems and disks have none
        with atomic_file(link) as copy:
            shutil.copyfile(file, copy)
