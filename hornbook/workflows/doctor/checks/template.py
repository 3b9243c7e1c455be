"""The chat template: the same in training and in serving, token by token."""

from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.doctor.conversations import conversations, serving_tokenizer
from hornbook.workflows.doctor.diagnosis import Diagnosis, beside_the_point, check, faulty, sound
from hornbook.workflows.doctor.subject import Subject


@check("template", "Conversations are served as they were trained")
def same_template(subject: Subject) -> Diagnosis:
    """The ids of a prompt must be those that stand before its answer in training."""
    trained = subject.tokenizer if isinstance(subject.tokenizer, Tokenizer) else None
    served = serving_tokenizer(subject) or trained
    if served is None or (trained or served).chat_template is None:
        return beside_the_point("no conversations are held here")
    if trained is not None and trained.fingerprint != served.fingerprint:
        return faulty(
            "the model that is served has another tokenizer than it was trained with",
            "Copy tokenizer.json from the folder of the training, or export the run again.",
        )
    if served.chat_template is None:
        return faulty(
            "it was trained with a chat template, and the model that is served has none",
            "Copy chat_template.jinja from the folder of the training.",
        )
    rendered = list(conversations(subject, served))
    if not rendered:
        return beside_the_point("no conversations are held here")
    different = sum(not one.same for one in rendered)
    if different:
        return faulty(
            f"{different} of {len(rendered)} prompts have other ids when they are served",
            "Give the served model the chat template that it was trained with.",
        )
    if not all(one.learned for one in rendered):
        return faulty(
            "the chat template marks no answer in a conversation: nothing of it would be learned",
            "Put {% generation %} blocks around what the assistant says.",
        )
    return sound(f"{len(rendered)} conversations have the same ids")
