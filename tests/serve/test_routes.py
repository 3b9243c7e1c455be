"""The other routes of /v1: embeddings, decisions, rerank, labels, translations, documents."""

import base64

import numpy as np
import pytest

import hornbook as hb
from hornbook.generate.decide import Question
from hornbook.workflows.documents.indexing import IndexRequest, make_index
from tests.serve.conftest import running
from tests.tiny import QUIET

TEXTS = ["the hornbook", "春眠不覺曉", "books"]


def test_vectors_come_as_the_client_asks_by_default(client, folder):
    alone = hb.load(folder / "encoder", device="cpu").embed(TEXTS)
    found = client.embeddings.create(model="encoder", input=TEXTS)
    assert np.allclose([one.embedding for one in found.data], alone, atol=1e-6)
    assert [one.index for one in found.data] == [0, 1, 2]
    assert found.usage.prompt_tokens == found.usage.total_tokens > 3
    floats = client.embeddings.create(model="encoder", input="books", encoding_format="float")
    assert np.allclose(floats.data[0].embedding, alone[2], atol=1e-6)
    raw = client.embeddings.with_raw_response.create(
        model="encoder", input="books", encoding_format="base64"
    ).http_response.json()
    data = np.frombuffer(base64.b64decode(raw["data"][0]["embedding"]), "<f4")
    assert np.allclose(data, alone[2], atol=1e-6)


def test_texts_that_cannot_be_embedded_are_refused(client, server, openai):
    long = "the hornbook " * 50
    for text in (long, ["short", long]):
        with pytest.raises(openai.BadRequestError) as caught:
            client.embeddings.create(model="encoder", input=text)
        assert caught.value.code == "context_length_exceeded" and "24" in caught.value.message
    body = {"model": "encoder", "input": long, "truncate": True}
    assert server.post("/v1/embeddings", body).status_code == 200
    for wrong in ([1, 2], [[1]], "", [], [""], ["x"] * 3000):
        assert server.post("/v1/embeddings", {"input": wrong}).status_code == 400, wrong
    for name, value in {"dimensions": 3, "input_type": "song", "encoding_format": "int8"}.items():
        found = server.post("/v1/embeddings", {"input": "a", name: value})
        assert found.status_code == 400, name
        assert name in found.text or str(value) in found.text


def test_a_model_of_another_kind_says_so(client, server, openai):
    with pytest.raises(openai.BadRequestError, match="an encoder: it cannot do chat completions"):
        client.chat.completions.create(
            model="encoder", messages=[{"role": "user", "content": "hi"}]
        )
    with pytest.raises(openai.NotFoundError, match="There is no model 'gpt-4'"):
        client.embeddings.create(model="gpt-4", input="a")
    assert server.post("/v1/embeddings", {"input": "a"}).json()["model"] == "encoder"


def test_decisions_are_those_of_decide(client, folder):
    text = "the hornbook and other books"
    questions = [
        {"type": "predicate", "instructions": "Is it about books?", "name": "books"},
        {
            "type": "choice",
            "instructions": [{"type": "input_text", "text": "Which word comes?"}],
            "choices": [{"value": "the"}, {"value": True}, {"value": "other"}],
        },
        {"type": "score", "instructions": "How long?", "levels": [{"label": "a"}, {"label": "b"}]},
    ]
    found = client.decisions.create(model="decoder", input=text, questions=questions)
    decoder = hb.load(folder / "decoder", device="cpu")
    alone = decoder.decide(
        text,
        [
            Question("Is it about books?", ("yes", "no")),
            Question("Which word comes?", ("the", "true", "other")),
            Question("How long?", ("a", "b")),
        ],
    )
    predicate, choice, score = found.answers
    assert predicate.name == "books"
    assert predicate.probability == pytest.approx(alone[0].probabilities["yes"], abs=1e-6)
    assert [one.value for one in choice.probabilities] == ["the", True, "other"]
    shares = [one.probability for one in choice.probabilities]
    assert shares == pytest.approx(list(alone[1].probabilities.values()), abs=1e-6)
    assert choice.confidence == max(shares)
    assert choice.choice == choice.probabilities[shares.index(max(shares))].value
    assert score.score == pytest.approx(alone[2].probabilities["b"], abs=1e-6)
    assert [one.value for one in score.probabilities] == [0, 1]
    assert found.usage.input_tokens > found.usage.input_tokens_details.cached_tokens > 0


def test_decisions_refuse_what_they_cannot_do(client, server, openai):
    ask = {"type": "predicate", "instructions": "Is it?"}
    with pytest.raises(openai.BadRequestError) as caught:
        client.decisions.create(model="decoder", input="the horn " * 900, questions=[ask])
    assert caught.value.code == "context_length_exceeded"
    same = {"type": "choice", "instructions": "?", "choices": [{"value": "a"}, {"value": "a"}]}
    for wrong in ([], [ask] * 401, [same], [{**ask, "instructions": " "}]):
        found = server.post("/v1/decisions", {"input": "the", "questions": wrong})
        assert found.status_code == 400, wrong[:2]
    by_labels = {"type": "choice", "instructions": "Which?", "choices": [
        {"value": "spam"}, {"value": "ham"}]}  # fmt: skip
    body = {"model": "linear", "input": "win money now", "questions": [by_labels]}
    assert server.post("/v1/decisions", body).json()["answers"][0]["choice"] == "spam"
    assert server.post("/v1/decisions", {**body, "questions": [ask]}).status_code == 400
    conversation = [
        {"role": "user", "content": "the"},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "4"},
    ]
    found = server.post("/v1/decisions", {"input": conversation, "questions": [ask] * 20})
    assert len(found.json()["answers"]) == 20


def test_documents_are_put_in_order(server, folder):
    encoder = hb.load(folder / "encoder", device="cpu")
    cosines = encoder.embed(TEXTS) @ encoder.embed("the hornbook")
    body = {"query": "the hornbook", "documents": [*TEXTS[:2], {"text": TEXTS[2]}]}
    body["model"] = "encoder"
    found = server.post("/v1/rerank", {**body, "return_documents": True}).json()["results"]
    assert [one["index"] for one in found] == np.argsort(-cosines).tolist()
    assert found[0]["relevance_score"] == pytest.approx(cosines.max(), abs=1e-5)
    assert found[0]["document"]["text"] == TEXTS[found[0]["index"]]
    assert len(server.post("/v1/rerank", {**body, "top_n": 2}).json()["results"]) == 2
    cross = hb.load(folder / "cross", device="cpu").rerank("the hornbook", TEXTS)
    found = server.post("/v1/rerank", {**body, "model": None}).json()
    assert found["model"] == "cross"
    assert found["results"][0]["relevance_score"] == pytest.approx(float(cross.max()), abs=1e-3)
    long = server.post("/v1/rerank", {"query": "the", "documents": ["the horn " * 80]})
    assert long.json()["error"]["code"] == "context_length_exceeded"


def test_labels_and_translations_are_those_of_the_commands(server, folder):
    alone = hb.load(folder / "network", device="cpu").classify(["the", "hornbook"])
    found = server.post("/v1/classify", {"model": "network", "input": ["the", "hornbook"]}).json()
    assert [one["label"] for one in found["data"]] == [one.label for one in alone]
    assert found["labels"] == ["ham", "spam"]
    found = server.post("/v1/classify", {"model": "network", "input": "the horn " * 90})
    assert found.json()["error"]["code"] == "context_length_exceeded"
    found = server.post("/v1/classify", {"model": "linear", "input": "win money now"}).json()
    assert found["data"][0]["label"] == "spam"
    alone = hb.load(folder / "pairs", device="cpu").translate(["the hornbook", "books"], beam=2)
    body = {"input": ["the hornbook", "books"], "beam": 2}
    found = server.post("/v1/translate", body).json()
    assert [one["text"] for one in found["data"]] == alone
    found = server.post("/v1/translate", {"input": "the hornbook " * 90})
    assert found.status_code == 400 and "48" in found.text


@pytest.fixture(scope="module")
def documents(folder, tmp_path_factory):
    docs = tmp_path_factory.mktemp("docs")
    (docs / "a.txt").write_text("The notice period is three months. The rent is due on Monday.")
    make_index(IndexRequest((str(docs),), encoder="none"), docs.parent / "index", QUIET)
    with running([folder / "linear"], index=docs.parent / "index") as found:
        yield found, docs


def test_documents_are_searched_and_asked(documents, server):
    running, docs = documents
    found = running.post("/v1/search", {"query": "notice period"}).json()
    assert "three months" in found["hits"][0]["text"] and found["documents"] == 1
    found = running.post("/v1/ask", {"question": "How long is the notice period?"}).json()
    assert "three months" in found["answer"] and not found["refused"]
    assert found["quotes"][0]["verified"]
    (docs / "b.txt").write_text("The deposit is nine hundred euros.")
    make_index(IndexRequest(), running.state.documents.folder, QUIET)
    found = running.post("/v1/ask", {"question": "How high is the deposit?"}).json()
    assert "nine hundred" in found["answer"]
    assert running.post("/v1/search", {"query": "x", "since": "yesterday"}).status_code == 400
    assert running.post("/v1/search", {"query": "x", "folder": ["../../etc"]}).json()["hits"] == []
    found = server.post("/v1/search", {"query": "notice"})
    assert found.status_code == 404 and "--index" in found.text


def test_health_and_counts(server):
    assert server.get("/health").json() == {"status": "ok"}
    server.post("/v1/embeddings", {"input": "secret-word"})
    server.get("/made/up")
    text = server.get("/metrics").text
    assert 'hornbook_requests_total{route="/v1/embeddings",status="200"}' in text
    assert 'route="other",status="404"' in text and "made" not in text
    assert "secret-word" not in text
