"""`hornbook ask`: an answer from documents, in their own words."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hornbook.cli import options


def command(
    index: Annotated[Path, typer.Argument(help="A folder made by `hornbook index`.")],
    question: Annotated[str, typer.Argument(help="The question.")],
    model: Annotated[
        Path | None,
        typer.Option(
            help="A decoder that points at sentences. Without one, or with one too weak for these "
            "documents, the best sentences answer."
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Leave out sentences of the model that no quote supports."),
    ] = False,
    quotes: Annotated[int, typer.Option(min=1, max=50, help="Largest number of quotes.")] = 3,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page: the answer beside the pages it is on, highlighted."),
    ] = None,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Answer a question from an index, by quotes with their places, or say that it cannot.

    Quotes are read from the documents by their places, so none can be false. A question about all
    documents (how many, list all, the longest) is answered by looking at all of them.
    """
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.documents.answer_page import check_page, write_page
    from hornbook.workflows.documents.ask import AskRequest, ask
    from hornbook.workflows.documents.asking import OpenIndex

    if html is not None:
        check_page(html)
    opened = OpenIndex(index, Progress())
    with opened.index:
        request = AskRequest(model, strict, quotes, device)
        found = ask(opened, question, request).plain()
    if html is not None:
        write_page(html, index, found)
        found["html"] = str(html)
    _tell(found)
    if not json:
        _show(found)
    print_json(found, json)


def _tell(found: dict[str, Any]) -> None:
    """What is to be known beside the answer."""
    from hornbook.cli.output import note

    seen = found["looked_at"]
    note(
        f"looked at {seen['passages']:,} of {seen['of_passages']:,} passages in "
        f"{seen['documents']:,} of {seen['of_documents']:,} documents"
    )
    if seen["vectors"] < seen["of_passages"]:
        note(
            f"vectors: {seen['vectors']:,} of {seen['of_passages']:,} passages have one; until "
            "nine tenths have, words alone are compared"
        )
    if (rates := found.get("refusal")) is not None:
        note(
            f"of {rates['questions']:,} questions made of {rates['sentences']:,} sentences of "
            f"these documents, {rates['false_refusals']:.1%} are refused wrongly, and "
            f"{rates['false_answers']:.1%} would be answered without their passage"
        )
    if "left_out" in found:
        note(f"The model's own words are left out: {found['left_out']}.")


def _show(found: dict[str, Any]) -> None:
    from hornbook.cli.output import show
    from hornbook.retrieve.quotes import one_line

    if found["refused"] and found["looked_at"]["settled"]:
        show("Nothing in these documents answers that.")
        return
    if found["refused"]:
        show("Nothing that was read so far answers that; more documents are being added.")
        return
    print(found["answer"])
    for one in found.get("sentences", []):
        mark = f"[{one['quote'] + 1}]" if one["supported"] else "[?]"
        print(f"  {mark} {one['text']}")
    for number, one in enumerate(found["quotes"], 1):
        record = "" if one["record"] == 1 else f", record {one['record']:,}"
        page = "" if one["page"] is None else f", page {one['page']:,}"
        print(f"\n[{number}] {one_line(one['text'])}")
        show(f"    {one['source']}{record}{page}, characters {one['start']:,} to {one['end']:,}")
