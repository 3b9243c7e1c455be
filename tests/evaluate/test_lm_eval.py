"""The adapter for lm-eval: its requests give what our own functions give."""

import pytest

pytest.importorskip("lm_eval")
# lm-eval and what it is built on warn on import of things that are theirs to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def model(decoder, tokenizer):
    from hornbook.evaluate.lm_eval import HornbookLM

    return HornbookLM(decoder(), tokenizer)


def instances(kind, *arguments):
    from lm_eval.api.instance import Instance

    return [Instance(kind, {}, given, i) for i, given in enumerate(arguments)]


def test_loglikelihood(model, tokenizer):
    from hornbook.generate.likelihoods import encode_pair

    pairs = [("The cat sat", " on the mat."), ("", "The cat"), ("Is this ", "spam?")]
    found = model.loglikelihood(instances("loglikelihood", *pairs), disable_tqdm=True)
    ours = model.evaluated.likelihoods([encode_pair(tokenizer, *pair) for pair in pairs])
    assert found == [(pytest.approx(one.logprob, abs=1e-4), one.greedy) for one in ours]


def test_loglikelihood_rolling(model, tokenizer):
    text = "The cat sat on the mat. " * 30
    found = model.loglikelihood_rolling(instances("loglikelihood_rolling", (text,), ("",)))
    ((one, _),) = model.loglikelihood(instances("loglikelihood", ("", "The cat")))
    short = model.loglikelihood_rolling(instances("loglikelihood_rolling", ("The cat",)))
    assert found[0] < -100 and found[1] == 0 and short == [pytest.approx(one, abs=1e-4)]


def test_generate_until(model, tokenizer):
    asked = [
        ("The cat", {"until": ["\n"], "max_gen_toks": 6}),
        ("sat on", {"max_gen_toks": 3}),
        ("The " * 500, {"until": "x", "max_gen_toks": 4}),
    ]
    found = model.generate_until(instances("generate_until", *asked))
    ids = tokenizer.encode("sat on")
    assert found[1] == model.evaluated.answers([ids], 3, (), chat=False)[0]
    assert "\n" not in found[0] and len(found) == 3
    with pytest.raises(ValueError, match="greedily"):
        sampling = {"do_sample": True, "temperature": 1.0}
        model.generate_until(instances("generate_until", ("a", sampling)))


def test_a_task_of_lm_eval_runs(model, tmp_path):
    import json

    import lm_eval

    rows = [{"text": f"The cat {i}", "good": " sat", "bad": " mat"} for i in range(6)]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = {
        "task": "cats",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "d.jsonl")}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{text}}",
        "doc_to_choice": ["sat", "mat"],
        "doc_to_target": 0,
        "metric_list": [{"metric": "acc"}],
    }
    found = lm_eval.simple_evaluate(model, tasks=[task], bootstrap_iters=0)
    assert found["n-samples"]["cats"]["effective"] == 6
    assert 0 <= found["results"]["cats"]["acc,none"] <= 1
