"""Commands: light to start, plain in their errors, and JSON where it is asked for."""

import json
import subprocess
import sys

import pytest
import yaml

from hornbook.core.progress import Progress
from hornbook.models.folder import save_model
from hornbook.models.presets import qwen3
from hornbook.models.sizes import DecoderSizes
from hornbook.tokenize.train import train_tokenizer
from tests.in_process import hornbook as run

HEAVY = {"torch", "numpy", "pyarrow", "tokenizers", "transformers", "jinja2", "pydantic"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tokenizer = train_tokenizer(
        ["春眠不覺曉 the hornbook " * 50], 300, folder / "t", Progress(True)
    )
    sizes = DecoderSizes(
        vocab=tokenizer.vocab_size, width=16, depth=1, context=64, heads=2, kv_heads=2, head=8,
        hidden=16, tied=False,
    )  # fmt: skip
    save_model(qwen3(sizes).build(), folder / "m", tokenizer_folder=folder / "t")
    return folder / "m"


def test_help_imports_nothing_heavy():
    code = "import sys, hornbook.cli as c\ntry: c.app(['--help'])\nexcept SystemExit: pass\n"
    code += "print(*{m.partition('.')[0] for m in sys.modules}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "quickstart" in done.stdout
    assert not HEAVY & set(done.stderr.split())


def test_importing_the_package_imports_no_torch():
    code = "import sys, hornbook; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_generate_prints_json_last(model):
    code, out, err = run(
        "generate", model, "--prompt", "春眠", "--max-tokens", 5, "--temperature", 0, "--json"
    )
    assert code == 0, err
    found = json.loads(out)
    assert found.keys() == {
        "text", "token_ids", "prompt_tokens", "tokens_per_second", "finish_reason"
    }  # fmt: skip
    assert 1 <= len(found["token_ids"]) <= 5


def test_generate_streams_the_same_text(model):
    options = ["--prompt", "-", "--max-tokens", 8, "--seed", 3]
    _, plain, _ = run("generate", model, *options, text="the")
    _, out, _ = run("generate", model, *options, "--json", text="the")
    assert plain == json.loads(out)["text"] + "\n"


def test_generate_is_told_what_not_to_repeat(model):
    """Each option changes what is written, and log-probabilities are of what the model gave."""
    start = ["generate", model, "--prompt", "the", "--max-tokens", 12, "--temperature", 0, "--json"]
    start += [f"--logit-bias={i}=50" for i in range(40, 44)]

    def ids(*options):
        code, out, err = run(*start, *options)
        assert code == 0, err
        return json.loads(out)["token_ids"]

    free = ids()
    assert set(free) <= set(range(40, 44))
    for option in ("--presence-penalty", "--frequency-penalty", "--repetition-penalty"):
        assert ids(option, 2) != free
    assert set(ids("--repetition-penalty", 1.5)[:4]) == set(range(40, 44))
    assert ids("--repetition-penalty", 2, "--repetition-window", 0) == free
    _, out, _ = run(*start, "--top-logprobs", 2)
    found = json.loads(out)
    assert [each["id"] for each in found["logprobs"]] == found["token_ids"] == free
    first = found["logprobs"][0]
    assert len(first["top"]) == 2 and first["top"][0]["id"] not in free
    assert first["top"][0]["logprob"] > first["logprob"]


def test_chat_through_a_pipe(model):
    code, out, err = run(
        "chat", model, "--max-tokens", 4, text="你好\n/reset\nhello\n/exit\nnever\n"
    )
    assert code == 0, err
    assert out.count("\n") >= 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["generate", "nowhere", "--prompt", "x"], 2, "nowhere does not exist"),
        (["generate", "MODEL", "--prompt", "x", "--top-p", "2"], 2, "top_p = 2.0"),
        (["generate", "MODEL", "--prompt", "x", "--top-logprobs", "1"], 2, "with --json"),
        (["generate", "MODEL", "--prompt", "x", "--logit-bias", "a=1"], 2, "--logit-bias 'a=1'"),
        (["generate", "MODEL", "--prompt", "x", "--logit-bias", "1=101"], 2, "logit_bias"),
        (["generate", "MODEL", "--prompt", "a", "--logit-bias", "999=1"], 2, "token 999 is not th"),
        (["chat", "MODEL", "--repetition-penalty", "0"], 2, "repetition_penalty = 0.0"),
        (["generate", "MODEL", "--prompt", "x" * 500], 1, "this model takes 1 to 63"),
        (["pretrain", "--out", "x"], 2, "Say what to train on"),
        (["pretrain", "--out", "x", "--resume"], 2, "recipe.yaml"),
        (
            ["pretrain", "--out", "x", "--resume", "--minutes", "5"],
            2,
            "--minutes would change nothing",
        ),
        (["pretrain", "--out", "x", "--resume", "--dry-run"], 2, "about a new run"),
        (["quickstart", "--out", "x", "--set", "minutes=3"], 2, "--set minutes: how long"),
        (["finetune", "--out", "x", "--resume", "--seed", "0"], 2, "--seed would change nothing"),
        (["quickstart", "--minutes", "0", "--out", "x"], 2, "--minutes 0: must be 0.5 to"),
        (["quickstart", "--minutes", "soon"], 2, "--minutes"),
        (["corpus", "report", "nowhere"], 1, "not a corpus"),
        (["tokenizer", "measure", "nowhere", "nowhere"], 1, "tokenizer.json is missing"),
        (["export", "MODEL", "--to", "gguff", "--out", "x"], 2, "Did you mean 'gguf'"),
        (["pull", "smollm2-135m"], 2, "Did you mean 'smollm2-135m-instruct'"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_mistakes_are_one_line_and_no_traceback(model, tmp_path, arguments, code, message):
    arguments = [str(model) if a == "MODEL" else a for a in arguments]
    arguments = [str(tmp_path / a) if a == "x" else a for a in arguments]
    found, out, err = run(*arguments)
    assert found == code, err
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert not list(tmp_path.iterdir())


def test_corpus_build_and_report(tmp_path):
    (tmp_path / "text").mkdir()
    for i in range(20):
        (tmp_path / "text" / f"{i}.txt").write_text(f"Document {i}.\n" + f"Line {i} of it.\n" * 20)
    (tmp_path / "text" / "copy.txt").write_text((tmp_path / "text" / "3.txt").read_text())
    (tmp_path / "text" / "bad.txt").write_bytes(b"\xff\xfa broken")
    code, out, err = run("corpus", "build", tmp_path / "text", "--out", tmp_path / "c", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["documents"]["in"] == 22
    assert found["documents"]["kept"] == 20
    assert sum(found["documents"]["dropped"].values()) == 2
    assert found["bytes"]["in"] == found["bytes"]["kept"] + sum(found["bytes"]["dropped"].values())
    code, out, _ = run("corpus", "report", tmp_path / "c")
    assert "duplicate" in out
    code, out, _ = run("corpus", "trace", tmp_path / "c", f"{tmp_path / 'text' / 'copy.txt'}:0")
    assert code == 0 and "kept: False" in out and "reason: duplicate" in out
    code, out, err = run(
        "tokenizer", "train", tmp_path / "c", "--out", tmp_path / "t", "--vocab-size", 300, "--json"
    )
    assert code == 0, err
    assert json.loads(out)["lossless"]


def test_recipes_are_what_the_options_are(tmp_path):
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({"minutes": 1, "sed": 3}))
    lines = "".join(f"第{i}章。春眠不覺曉。\n" for i in range(200))
    (tmp_path / "text.txt").write_text(lines)
    assert run("corpus", "build", tmp_path / "text.txt", "--out", tmp_path / "c")[0] == 0
    code, _, err = run(
        "pretrain",
        "--corpus",
        tmp_path / "c",
        "--out",
        tmp_path / "o",
        "--recipe",
        tmp_path / "r.yaml",
    )
    assert code == 2
    assert "unknown key 'sed'. Did you mean 'seed'?" in err
