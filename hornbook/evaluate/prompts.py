"""From an item to what the model is asked: shots, the question, its ids, and what had to be cut."""

from collections.abc import Sequence

import numpy as np

from hornbook.core.errors import UsageError
from hornbook.evaluate.task import Item, Prompt, Task
from hornbook.evaluate.templates import Row, render
from hornbook.generate.likelihoods import LikelihoodRequest, begin_of, encode_pair
from hornbook.tokenize.tokenizer import Tokenizer

_CUT_TRIES = 12


class Prompter:
    """Writes the prompts of a task for a model that reads `max_length` tokens."""

    def __init__(
        self, task: Task, tokenizer: Tokenizer, max_length: int, shots: Sequence[Row]
    ) -> None:
        self.task, self.tokenizer, self.max_length, self.shots = task, tokenizer, max_length, shots
        self.chat = task.chat and tokenizer.chat_template is not None

    def prompt(self, item: Item, reserve: int) -> Prompt:
        """What is asked about an item; `reserve` tokens are left free for the answer.

        Where the whole is too long, shots are left out, the first ones first; then the field
        `cut` of the task is shortened at its end. What cannot be shortened is left too long.
        """
        most = self.max_length - reserve
        for first in range(len(self.shots) + 1):
            found = self._ask(item.row, self.shots[first:], 0)
            if len(found.ids) <= most:
                return found
        name = self.task.cut
        if name is None:
            return found
        text = str(item.row[name])
        kept = min(len(text), most * 16)  # hardly any token stands for more characters
        for _ in range(_CUT_TRIES):
            found = self._ask({**item.row, name: text[:kept]}, (), len(text) - kept)
            over = len(found.ids) - most
            if over <= 0 or kept == 0:
                break
            kept = max(0, min(kept - over, int(kept * (1 - over / len(found.ids)))))
        return found

    def request(self, prompt: Prompt, target: str) -> LikelihoodRequest:
        """How likely is `target` as the answer?"""
        if prompt.chat:
            return LikelihoodRequest(prompt.ids, self.tokenizer.encode(target.strip()))
        return encode_pair(self.tokenizer, prompt.text, target)

    def _ask(self, row: Row, shots: Sequence[Row], cut: int) -> Prompt:
        task = self.task
        if self.chat:
            messages = []
            if task.system:
                messages.append({"role": "system", "content": render(task.system, row)})
            for shot in shots:
                messages.append({"role": "user", "content": render(task.prompt, shot)})
                messages.append({"role": "assistant", "content": task.shown(shot).strip()})
            messages.append({"role": "user", "content": render(task.prompt, row)})
            ids = self.tokenizer.encode_chat(messages, add_generation_prompt=True)[0].tolist()
            return Prompt(self.tokenizer.decode(ids), ids, True, len(shots), cut)
        before = [render(task.system, row)] if task.system else []
        before += [render(task.prompt, shot) + task.shown(shot) for shot in shots]
        text = task.separator.join([*before, render(task.prompt, row)])
        ids = self.tokenizer.encode_beginning(text) or begin_of(self.tokenizer)
        return Prompt(text, ids, False, len(shots), cut)


def draw_shots(task: Task, pool: Sequence[Item], count: int, seed: int) -> list[Item]:
    """`count` different items of the pool, drawn by seed; the same for every item that is tested.

    With `balanced`, labels take turns in an order that is drawn too. Raises UsageError for a pool
    that is too small.
    """
    if count > len(pool):
        raise UsageError(f"{count} shots are asked for, but there are {len(pool)} to draw from.")
    generator = np.random.default_rng(seed)
    order = [pool[i] for i in generator.permutation(len(pool))]
    if not task.balanced:
        return order[:count]
    by_label: dict[str, list[Item]] = {}
    for item in order:
        by_label.setdefault(task.label(item.row), []).append(item)
    found: list[Item] = []
    while len(found) < count:
        for label in list(by_label):
            found.append(by_label[label].pop(0))
            if not by_label[label]:
                del by_label[label]
    found = found[:count]
    return [found[i] for i in generator.permutation(count)]
