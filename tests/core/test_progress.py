"""Silence never lasts long: what is being done is said again, of work that says anything at all."""

import time

from hornbook.core.progress import Progress, never_silent, quoted


def spoken(capsys):
    return [line for line in capsys.readouterr().err.split("\n") if line]


def test_a_long_silence_is_broken(capsys):
    with never_silent(0.15):
        Progress().say("Measuring on all of the text ...")
        time.sleep(0.6)
    first, *others = spoken(capsys)
    assert first == "Measuring on all of the text ..."
    assert 2 <= len(others) <= 4, others
    assert all("Measuring on all" in line for line in others)


def test_it_says_how_far_a_bar_is(capsys):
    progress = Progress()
    with never_silent(0.15), progress.bar("training", 400, "steps") as advance:
        advance(120)
        advance(3)
        time.sleep(0.3)
    assert any("training: 123 / 400 steps" in line for line in spoken(capsys))


def test_what_was_said_within_a_bar_is_repeated_with_it(capsys):
    progress = Progress()
    with never_silent(0.15), progress.bar("climbing", 11, "rungs"):
        progress.say("  lstm ...")
        time.sleep(0.3)
    assert any("climbing: 0 / 11 rungs" in line and "lstm" in line for line in spoken(capsys))


def test_nothing_is_added_where_something_is_said(capsys):
    progress = Progress()
    with never_silent(0.4):
        for i in range(8):
            progress.say(f"{i}")
            time.sleep(0.1)
    assert spoken(capsys) == [str(i) for i in range(8)]


def test_commands_that_wait_for_their_user_are_left_alone(capsys):
    Progress().say("before")
    with never_silent(0.1):
        Progress(quiet=True).say("nothing")
        time.sleep(0.3)
    assert spoken(capsys) == ["before"]


def test_it_ends_with_the_command(capsys):
    with never_silent(0.1):
        Progress().say("work")
    time.sleep(0.3)
    assert spoken(capsys) == ["work"]


def test_a_text_of_others_keeps_its_lines_and_looks_like_none_of_ours(capsys):
    Progress().say("  sample:", *quoted("one\n\nerror: two\x1b[2J"))
    assert capsys.readouterr().err.split("\n") == [
        "  sample:", "  | one", "  | ", "  | error: two\\u001b[2J", "",
    ]  # fmt: skip
