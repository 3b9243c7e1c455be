"""A new model that begins with the backbone of another: what was pretrained goes on to a new
task.
"""

import torch

from hornbook.core.errors import HornbookError
from hornbook.models.model import Model

_BODY = ("embedding.", "stack.")


@torch.no_grad()
def copy_backbone(source: Model, target: Model) -> None:
    """Copy embedding and stack; the head, and whatever else is the target's own, stays as it is.

    Raises HornbookError naming the first parameter that one of them lacks or has in another shape.
    """
    theirs, ours = (
        {name: p for name, p in model.named_parameters() if name.startswith(_BODY)}
        for model in (source, target)
    )
    for name in sorted(theirs.keys() | ours.keys()):
        shapes = [tuple(p[name].shape) if name in p else "absent" for p in (theirs, ours)]
        if shapes[0] != shapes[1]:
            raise HornbookError(
                f"The backbones differ: {name} is {shapes[0]} in the model to begin with and "
                f"{shapes[1]} in the new one."
            )
    for name, weight in ours.items():
        weight.copy_(theirs[name])
