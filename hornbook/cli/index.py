"""`hornbook index`: an index of documents, kept up to date."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hornbook.cli import options

if TYPE_CHECKING:
    from hornbook.core.progress import Progress
    from hornbook.workflows.documents.indexing import IndexReport
    from hornbook.workflows.documents.question_set import QuestionSet


def command(
    out: Annotated[Path, typer.Option(help="Folder of the index.")],
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders or URLs. None: what the index was made from, looked at again."
        ),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(help="Take a file, or all of a folder, out of the index."),
    ] = None,
    text_field: Annotated[
        str | None, typer.Option(help="Where JSON Lines and tables have their text.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="The model that makes vectors of meanings, or none. By default a pulled one: "
            "all-minilm-l6-v2 for English, multilingual-e5-small for other languages."
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Make all vectors before the command ends, not in the background."
        ),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, and take every change over until stopped.")
    ] = False,
    make_questions: Annotated[
        Path | None,
        typer.Option(
            help="Write a small test set to this file (JSON Lines): questions made of these "
            "documents, with the passage and the sentence that answer each."
        ),
    ] = None,
    questions: Annotated[
        int, typer.Option(min=1, max=100_000, help="Largest number of questions that are made.")
    ] = 200,
    model: Annotated[
        Path | None,
        typer.Option(help="A decoder that asks the questions. Without one they are made by rules."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Read documents into an index, or bring one up to date: only what changed is read."""
    import time

    from hornbook.cli.output import print_json, show
    from hornbook.core.errors import UsageError
    from hornbook.core.progress import Progress
    from hornbook.workflows.documents.indexing import IndexRequest, make_index
    from hornbook.workflows.documents.question_set import check_questions, made_set
    from hornbook.workflows.documents.watching import keep_up

    started, progress = time.perf_counter(), Progress()
    if make_questions is not None:
        check_questions(make_questions, model)
    elif model is not None:
        raise UsageError("--model goes with --make-questions.")
    request = IndexRequest(tuple(sources or ()), tuple(remove or ()), text_field, encoder, wait)
    report = make_index(request, out, progress)
    _say(report, out, progress)
    about = {}
    if make_questions is not None:
        made = made_set(out, make_questions, questions, model, progress)
        about = {"made_questions": made.plain()}
        _say_questions(made, progress)
    if watch:
        keep_up(request, out, progress, lambda more: _say(more, out, progress))
    if not json:
        show(
            f"{out}: {report.documents:,} documents, {report.passages:,} passages, "
            f"{report.vectors:,} with vectors"
        )
    seconds = round(time.perf_counter() - started, 3)
    print_json({"index": str(out), **report.plain(), **about, "seconds": seconds}, json)


def _say_questions(made: "QuestionSet", progress: "Progress") -> None:
    """What was made, and how far it is to be trusted."""
    progress.say(
        f"{made.file}: {made.questions:,} questions made by {made.by}; {made.left_out:,} of "
        f"{made.tried:,} were left out",
        f"  {made.shared.value:.0%} of the words of a question stand in the sentence that answers "
        f"it; words find the passage among the first five for {made.found.value:.0%} "
        f"({made.found.low:.0%} to {made.found.high:.0%})",
        "  nobody has asked them: they tell good settings from bad ones, and do not say how well "
        "people will be answered",
    )


def _say(report: "IndexReport", out: Path, progress: "Progress") -> None:
    """What happened, on stderr."""
    progress.say(
        f"{report.files:,} files: {report.read:,} read, {report.unchanged:,} unchanged, "
        f"{report.moved:,} moved, {report.removed:,} removed"
    )
    for one in report.refused_first:
        where = one.file if one.line is None else f"{one.file}, line {one.line}"
        progress.say(f"  not read: {where}: {one.reason} ({one.detail})")
    if report.refused > len(report.refused_first):
        progress.say(f"  … and {report.refused - len(report.refused_first):,} more records")
    if report.pages_without_text:
        names = ", ".join(report.files_with_such_pages[:5])
        progress.say(f"  {report.pages_without_text:,} pages hold no text, in {names}")
        if not report.can_read_pictures:
            progress.say("  scanned pages are read where tesseract is installed; it is not")
    if report.pages_read_by_ocr:
        progress.say(f"  {report.pages_read_by_ocr:,} pages are pictures; tesseract read them")
    if report.charsets_guessed:
        progress.say(
            f"  {report.charsets_guessed:,} texts are no UTF-8; they were read in the charset that "
            "they look like"
        )
    if report.encoder and report.vectors < report.passages:
        progress.say(
            f"  vectors: {report.vectors:,} of {report.passages:,}; the rest is made in the "
            f"background by {report.encoder}"
        )
    elif not report.encoder and report.passages:
        from hornbook.workflows.documents.encoders import to_add_vectors

        progress.say(f"  no vectors: only words are searched; to add some: {to_add_vectors(out)}")
