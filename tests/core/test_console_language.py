"""Messages in Chinese: the closest pattern wins, values stay, and what is unknown stays English."""

import pytest

from hornbook.cli.help_pages import columns, lines
from hornbook.core import language
from hornbook.core.errors import UsageError, unknown
from tests.in_process import hornbook


@pytest.fixture
def catalogue(monkeypatch):
    entries = {
        "{}: {}": "{0}：{1!}",
        "{} holds no {} files.": "{0} 里没有 {1} 文件。",
        "{} holds no files.": "{} 里没有文件。",
        "{} of {} kept": "{1} 个中保留 {0} 个",
        "--prompt {} must hold {text}.": "--prompt {} 必须含有 {text}。",
        "reading": "读取",
        "Done: {}": "完成：{0!}",
    }
    monkeypatch.setattr(language, "_entries", lambda: entries)
    for cached in (language._exact, language._patterns, language._expression):
        cached.cache_clear()
    yield
    for cached in (language._exact, language._patterns, language._expression):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("english", "expected"),
    [
        ("reading", "读取"),
        ("a b holds no files.", "a b 里没有文件。"),
        ("a holds no csv files.", "a 里没有 csv 文件。"),
        ("3 of 5 kept", "5 个中保留 3 个"),
        ("--prompt 'x {1} y' must hold {text}.", "--prompt 'x {1} y' 必须含有 {text}。"),
        ("reading: reading", "reading：读取"),  # a name is no message, though it reads like one
        ("x holds no files.\nreading", "x 里没有文件。\n读取"),
        ("Done: 3 of 5 kept", "完成：5 个中保留 3 个"),  # a part of it is no message that it is
        ("  3 of 5 kept", "  5 个中保留 3 个"),
        ("   ", "   "),
        ("nothing of this kind", "nothing of this kind"),
        ("", ""),
    ],
)
def test_messages(catalogue, english, expected):
    assert language.chinese(english) == expected
    assert language.told(english) == english


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh"}, "zh"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_the_language_is_that_of_the_system(environment, expected):
    assert language.of_system(environment) == expected


def test_the_console_follows(monkeypatch, tmp_path):
    english = hornbook("generate", tmp_path, "--prompt", "x", "--device", "q")[2]
    asked = hornbook("--language", "zh", "generate", tmp_path, "--prompt", "x", "--device", "q")[2]
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    system = hornbook("generate", tmp_path, "--prompt", "x", "--device", "q")[2]
    back = hornbook("--language", "en", "generate", tmp_path, "--prompt", "x", "--device", "q")[2]
    assert english.startswith("error: ") and asked.startswith("错误：")
    assert (system, back) == (asked, english)


def test_objects_stay_english(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    _, out, err = hornbook("pretrain", "--nothing", "--json")
    assert '"No such option: --nothing"' in out
    assert err.startswith("用法：")


def test_help_is_in_both_languages(monkeypatch):
    pages = {name: hornbook("--language", name, "generate", "--help")[1] for name in ("en", "zh")}
    assert "Usage: " in pages["en"] and "Options:" in pages["en"]
    assert "用法：" in pages["zh"] and "选项:" in pages["zh"] and "[必填]" in pages["zh"]
    for line in pages["zh"].splitlines():
        assert columns(line) <= 80


def test_an_unknown_language_is_refused():
    code, _, err = hornbook("--language", "fr", "pull")
    assert (code, "Unknown language 'fr'. Valid: en, zh." in err) == (2, True)
    with pytest.raises(UsageError, match="language"):
        raise unknown("language", "fr", language.LANGUAGES)


def test_chinese_lines_are_broken_by_columns():
    text = "把每段文字变成一个长度为一的向量，按原来的顺序写出；the model reads meaning，仅此而已。"
    broken = list(lines(text, 24))
    assert all(columns(line) <= 24 for line in broken)
    assert "".join(broken).replace(" ", "") == text.replace(" ", "")
    assert not any(line[0] in "，；。" for line in broken)
