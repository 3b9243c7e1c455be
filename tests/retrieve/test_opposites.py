"""When something began is no answer to when it ends, whoever asks in which language."""

import pytest

from hornbook.retrieve.opposites import Opposed

AGAINST = [
    ("When does the lease end?", "en", "The lease begins on 1 May 2024."),
    ("When did it begin?", "en", "The lease expired on 1 May 2024."),
    ("When was she born?", "en", "She died in Bath in 1817."),
    ("When does the shop close?", "en", "The shop opens at eight."),
    ("What is the highest fee?", "en", "The lowest fee is 30 euros."),
    ("Wann endet der Vertrag?", "de", "Der Vertrag beginnt am 1. Mai 2024."),
    ("Wann wurde der Verein aufgelöst?", "de", "Der Verein wurde 1890 gegründet."),
    ("合同什么时候到期？", "zh", "本合同自二〇二四年五月一日起生效。"),
    ("他何时出生？", "zh", "他于1817年去世。"),
    ("When does it end?", "de", "Es beginnt im Mai."),
    ("合同什么时候到期？", "en", "The contract starts in May."),
]
ANSWERS = [
    ("When does the lease end?", "en", "It terminates after two years."),
    ("When does the lease end?", "en", "The lease begins on 1 May 2024 and ends on 1 May 2026."),
    ("When does it begin and end?", "en", "The lease begins on 1 May 2024."),
    ("When does the lease end?", "en", "The rent is due on Mondays."),
    ("When does the trial end?", "en", "It does not begin before May."),
    ("Who is the landlord?", "en", "The tenant begins to pay in May."),
    ("Wann endet der Vertrag?", "de", "Der Vertrag läuft zwei Jahre."),
    ("合同什么时候到期？", "zh", "合同自五月一日起生效，两年期满后终止。"),
    ("die Miete", "de", "Das Kind wurde in Bath geboren."),
    ("¿Cuándo termina?", "es", "Empieza en mayo."),
]


@pytest.mark.parametrize(("question", "language", "text"), AGAINST)
def test_the_opposite_is_no_answer(question, language, text):
    assert Opposed(question).against(text, language)
    assert Opposed(text).against(text, language) is False


@pytest.mark.parametrize(("question", "language", "text"), ANSWERS)
def test_what_may_be_one(question, language, text):
    assert not Opposed(question).against(text, language)


def test_words_that_mean_the_same():
    opposed = Opposed("When does it end?")
    assert opposed.stands_for(("end",), "The lease expires in May.", "en")
    assert opposed.stands_for(("end",), "Der Vertrag endet im Mai.", "de")
    assert not opposed.stands_for(("leas",), "The lease expires in May.", "en")
    assert not opposed.stands_for(("end",), "The lease begins in May.", "en")
