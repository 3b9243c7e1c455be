"""`hornbook corpus review`: ask a person whether a rule is right."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli.options import Json

_SHOWN = 1500
"""Characters of a document: enough to say what it is."""


def review(
    folder: Annotated[Path, typer.Argument(help="A folder made by `corpus build`.")],
    rule: Annotated[str, typer.Option(help="The rule to check.")],
    each: Annotated[
        int, typer.Option(min=1, help="Number of dropped documents to show, and of kept ones.")
    ] = 20,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Seed of the random choice of documents.")
    ] = 0,
    json: Json = False,
) -> None:
    """Judge documents that a rule dropped or kept, to measure how often the rule is right.

    You answer y where you would train on the document, n where you would not, q to stop. What the
    rule said is shown after your answer; answers are kept in review.jsonl beside the corpus.
    """
    from hornbook.cli.output import print_json
    from hornbook.core.claims import MARKER, beside
    from hornbook.core.files import read_json
    from hornbook.corpus.build import stages_of
    from hornbook.corpus.corpus import Corpus
    from hornbook.corpus.recipe import CorpusRecipe
    from hornbook.corpus.review import ReviewAnswer, cases, check_answers, precision, remember

    Corpus.open(folder)
    answers_at = beside(folder, "", ".review.jsonl")
    check_answers(answers_at)
    recipe = CorpusRecipe.parse(read_json(folder / MARKER)["inputs"]["recipe"], str(folder))
    answers: list[ReviewAnswer] = []
    found = cases(stages_of(folder), recipe, rule, each, seed)
    for number, case in enumerate(found, 1):
        typer.echo(f"\n[{number} of {len(found)}] {case.id}\n{case.text[:_SHOWN]}", err=True)
        said = _ask()
        if said is None:
            break
        answers.append(ReviewAnswer(case, said))
        verdict = "dropped" if case.dropped else "kept"
        typer.echo(f"{rule} measured {case.value:.4g} and {verdict} it.", err=True)
    if answers:
        remember(answers_at, rule, answers)
    dropped = sum(answer.case.dropped for answer in answers)
    shares = precision(answers)
    if json:
        facts = {name: share._asdict() for name, share in shares.items()}
        counts = {"dropped": dropped, "kept": len(answers) - dropped}
        print_json({"rule": rule, "answers": counts, **facts}, True)
        return
    for name, share, count in (
        ("Of those it dropped, rightly", shares["precision"], dropped),
        ("Of those it kept, rightly", shares["kept_good"], len(answers) - dropped),
    ):
        shown = f"{share.value:.0%} ({share.low:.0%} to {share.high:.0%})" if count else "none seen"
        print(f"{name}: {shown}, {count} judged.")


def _ask() -> bool | None:
    """True for y, False for n, None to stop, as the end of the input does."""
    while True:
        typer.echo("Would you train on it? [y/n/q] ", err=True, nl=False)
        try:
            said = input().strip().lower()
        except EOFError:
            return None
        if said in ("y", "n", "q"):
            return {"y": True, "n": False}.get(said)
