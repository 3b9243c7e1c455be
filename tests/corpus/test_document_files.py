"""Documents that are looked up by their ids."""

import pytest

from hornbook.corpus.document_files import DocumentWriter, find_documents, read_ids
from hornbook.read.documents import Document


@pytest.mark.parametrize("wanted", [[], ["2"], ["2", "0"], ["nowhere"]])
def test_documents_are_found_in_the_order_they_are_stored(tmp_path, wanted):
    writer = DocumentWriter(tmp_path, "part", group_bytes=1)
    stored = [Document(str(i), f"text {i}", "s", metadata={"n": i}) for i in range(4)]
    for document in stored:
        writer.add(document, 6, "h")
    writer.close()
    assert list(read_ids(tmp_path)) == ["0", "1", "2", "3"]
    assert find_documents(tmp_path, wanted) == [d for d in stored if d.id in wanted]
