import pytest

from pipeline.tagging.spanish_denied import undenied


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No tengo miedo, adelante", "No tengo      , adelante"),
        ("ya NO estoy MUY ENFADADA", "ya NO estoy MUY         "),
        ("no siento ni pena ni alegría", "no siento ni      ni        "),
        ("sin estrés", "sin       "),
        ("No te preocupes por eso", "No te           por eso"),
    ],
)
def test_what_is_denied_is_not_shown(text: str, shown: str) -> None:
    assert undenied(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tengo miedo",
        "Ay no, qué miedo",
        "no que miedo",
        "No puedo estar más contento",
        "no compila y me da rabia",
        "No hay quien lea esto sin sentir asco",
        "el casino da miedo",
        "İ\u0301 ño ﬁ 😡 日本",
    ],
)
def test_all_else_stays(text: str) -> None:
    assert undenied(text) == text


def test_what_comes_after_a_denial_stays() -> None:
    text = "no estoy triste, estoy furiosa"
    assert undenied(text) == text.replace("triste", "      ")
