"""The kinds of tasks, one file each: what the model is asked, and what its answers are worth.

A new kind is one file and one line here.
"""

from hornbook.evaluate.kinds.choice import ChoiceTask
from hornbook.evaluate.kinds.classify import ClassifyTask
from hornbook.evaluate.kinds.contexts import ContextsTask
from hornbook.evaluate.kinds.generate import GenerateTask
from hornbook.evaluate.kinds.last_word import LastWordTask
from hornbook.evaluate.kinds.pair import PairTask
from hornbook.evaluate.kinds.perplexity import PerplexityTask
from hornbook.evaluate.task import Task

KINDS: dict[str, type[Task]] = {
    "perplexity": PerplexityTask,
    "choice": ChoiceTask,
    "last_word": LastWordTask,
    "pair": PairTask,
    "contexts": ContextsTask,
    "classify": ClassifyTask,
    "generate": GenerateTask,
}
