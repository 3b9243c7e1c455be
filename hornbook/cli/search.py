"""`hornbook search`: passages of an index that fit a question."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hornbook.cli import options

if TYPE_CHECKING:
    from hornbook.retrieve.search import Hit


def command(
    index: Annotated[Path, typer.Argument(help="A folder made by `hornbook index`.")],
    query: Annotated[str, typer.Argument(help="Words or a question.")],
    count: Annotated[int, typer.Option(min=1, max=1000, help="Largest number of hits.")] = 10,
    by: Annotated[
        str,
        typer.Option(help="words, vectors, or both. Words alone load no model and answer at once."),
    ] = "both",
    source: Annotated[
        list[str] | None,
        typer.Option(help="Only in this file: a path, a name, or a pattern with * and ?."),
    ] = None,
    folder: Annotated[
        list[str] | None, typer.Option(help="Only in files anywhere below this folder.")
    ] = None,
    since: Annotated[
        str, typer.Option(help="Only documents of this date or later: 2024, 2024-05 or 2024-05-31.")
    ] = "",
    until: Annotated[str, typer.Option(help="Only documents of this date or earlier.")] = "",
    in_language: Annotated[
        list[str] | None, typer.Option(help="Only documents in this language, such as de or zh.")
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(help="Only documents whose metadata has this value, such as author=Li."),
    ] = None,
    rerank: Annotated[
        str | None,
        typer.Option(
            help="A model that reads the first 50 passages beside the question and ranks them "
            "anew: made by `finetune --task rerank`, or any cross-encoder."
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Find the passages that fit a question, with the places where they stand."""
    import time

    from hornbook.cli.output import note, print_json
    from hornbook.retrieve.index import DocumentIndex
    from hornbook.retrieve.where import where_of
    from hornbook.workflows.documents.searching import asking, reranking_by, said_of, way_of

    started = time.perf_counter()
    way = way_of(by)
    where = where_of(source, folder, (since, until), in_language, metadata)
    encode = asking(index, way, note)
    reranking, counts = reranking_by(rerank), None
    with DocumentIndex.open(index, encode, reranking) as opened:
        hits = opened.search(query, count, way, where)
        state, used = opened.state(), opened.way(way)
    if rerank and reranking:
        counts = reranking.counting.of(used)
        if (said := said_of(rerank, reranking.counting, used)) is not None:
            note(said)
    if state.encoder and by != "words" and state.vectors < state.passages:
        note(
            f"vectors: {state.vectors:,} of {state.passages:,} passages have one; until "
            "nine tenths have, words alone are compared"
        )
    if not json:
        for number, hit in enumerate(hits, 1):
            _show(number, hit)
        if not hits:
            note("Nothing was found.")
    if not state.settled:
        note("Documents are being added: what is not read yet cannot be found.")
    found = {
        "query": query,
        "by": by,
        "rerank": rerank,
        "rerank_weight": counts,
        "hits": [hit.plain() for hit in hits],
        **state._asdict(),
    }
    seconds = round(time.perf_counter() - started, 4)
    print_json({**found, "seconds": seconds}, json)


def _show(number: int, hit: "Hit") -> None:
    from hornbook.cli.output import show

    place = f"characters {hit.start:,} to {hit.end:,}"
    shown = hit.snippet()
    first = shown.highlights[0].start if shown.highlights else shown.start
    page = "" if hit.page is None else f"page {hit.page_at(hit.start + first):,}, "
    record = "" if hit.record == 1 else f"record {hit.record:,}, "
    print(f"{number}. {_near(hit.source)}", f"({hit.title})" if hit.title else "")
    show(f"   {record}{page}{place}, score {hit.score:.3f}")
    text, at = "", shown.start
    for start, end in shown.highlights:
        text += f"{hit.text[at:start]}**{hit.text[start:end]}**"
        at = end
    text += hit.text[at : shown.end]
    before, after = "… " * (shown.start > 0), " …" * (shown.end < len(hit.text))
    print(f"   {before}{' '.join(text.split())}{after}")
    if hit.copies:
        names = ", ".join(dict.fromkeys(_near(copy.source) for copy in hit.copies[:3]))
        show(f"   {len(hit.copies):,} more passages say the same: {names}")


def _near(source: str) -> str:
    """A path as it is seen from here."""
    try:
        return str(Path(source).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return source
