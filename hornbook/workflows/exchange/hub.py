"""Files of a repository of the Hugging Face hub, by the hub's own library and its settings.

A download that broke off goes on where it stopped: its beginning lies in the hub's cache.
"""

import logging
import shutil
from pathlib import Path

from hornbook.core.lines import first_line
from hornbook.workflows.exchange.catalogue import Hub
from hornbook.workflows.exchange.record import Unreachable


def from_hub(source: Hub, aside: Path) -> None:
    """Bring its files into the folder `aside`. Raises Unreachable saying why it cannot."""
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise Unreachable(
            "huggingface_hub is not installed (pip install 'hornbook[hub]')."
        ) from None
    # It says where it tries and tries again; what matters of it is in our own message.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    for file in source.files:
        try:
            there = hf_hub_download(source.repository, file.name, revision=source.revision)
        except Exception as error:  # the library has no common class for what can go wrong
            raise Unreachable(first_line(str(error)) or type(error).__name__) from None
        target = aside / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(there, target)
