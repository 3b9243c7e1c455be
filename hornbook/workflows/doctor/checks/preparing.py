"""Whether what is examined can be prepared at all, from the data that it was made of."""

from hornbook.core.errors import HornbookError
from hornbook.workflows.doctor.diagnosis import Diagnosis, beside_the_point, check, faulty, sound
from hornbook.workflows.doctor.subject import Subject


@check("prepare", "It can be prepared", turn=0)
def prepared(subject: Subject) -> Diagnosis:
    """As the run would prepare it, from reading the data to building the model."""
    if subject.refused:
        return faulty(subject.refused, "Mend what it says; the run would stop there.")
    if subject.problem is None:
        return beside_the_point("there is nothing to train here")
    if subject.light > 1:
        return sound(
            "the data can be read and the model can be built; a part of the corpus was read"
        )
    return sound("the data can be read and the model can be built")


@check("data", "The data are those of the recipe", "place", "project", "recipe", turn=0)
def unchanged(subject: Subject) -> Diagnosis:
    """By the fingerprints that the recipe holds."""
    project, recipe = subject.project, subject.recipe
    assert project is not None and recipe is not None and subject.place is not None
    try:
        project.require_same(recipe.request, subject.place)
    except HornbookError as error:
        return faulty(
            str(error), "Put the data back as they were, or start a new run in another folder."
        )
    return sound("nothing was changed since")
