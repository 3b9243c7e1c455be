"""Prompts: what stands before a text by its role, as a folder says it."""

import json

import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.models.prompts import SETTINGS, read_prompts, write_prompts


def test_roles_find_what_folders_call_them(tmp_path):
    write_prompts(tmp_path, {"query": "q: ", "document": "d: "})
    prompts = read_prompts(tmp_path)
    assert [prompts.of(role) for role in ("query", "passage", "document", None)] == [
        *("q: ", "d: ", "d: ", "d: ")
    ]
    with pytest.raises(UsageError, match=r"querry.*Did you mean 'query'"):
        prompts.of("querry")


def test_a_model_without_prompts_reads_queries_and_passages_alike(tmp_path):
    prompts = read_prompts(tmp_path)
    assert {prompts.of(role) for role in ("query", "passage", None)} == {""}
    with pytest.raises(UsageError, match="clustering"):
        prompts.of("clustering")


@pytest.mark.parametrize(
    "values", [{"prompts": ["q"]}, {"prompts": {"q": 1}}, {"default_prompt_name": "q"}]
)
def test_a_broken_file_is_named(tmp_path, values):
    (tmp_path / SETTINGS).write_text(json.dumps(values))
    with pytest.raises(HornbookError, match=SETTINGS):
        read_prompts(tmp_path)
