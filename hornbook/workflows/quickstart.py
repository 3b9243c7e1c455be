"""The main job: from text to a trained, measured, talking model and a report, in one go.

Calls corpus, pretraining, floors, instruction tuning and the report in order; each reuses what is
unchanged from an earlier run. Computes nothing itself.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hornbook.core.files import read_json
from hornbook.core.progress import Progress
from hornbook.corpus.build import CorpusConfig, build
from hornbook.workflows import run as layout
from hornbook.workflows.instruct import instruct
from hornbook.workflows.pretrain import pretrain
from hornbook.workflows.report_facts import gather
from hornbook.workflows.report import write_report
from hornbook.workflows.run import PretrainRequest

DEFAULT_TEXT = "python-docs"
TRAINING_SHARE = 0.7
"""Of the minutes asked for; the rest goes to reading, floors, instruction tuning and the report."""
