import pytest

from pipeline.tagging.labels import load_labels
from pipeline.tagging.spanish import MARKERS, SHIPPED
from pipeline.tagging.spanish_markers import SpanishMarkers


@pytest.fixture(scope="module")
def markers() -> SpanishMarkers:
    return SpanishMarkers(SHIPPED / MARKERS)


@pytest.mark.parametrize(
    ("text", "label", "evidence"),
    [
        ("Con tanto cambio me estresa el despliegue", "stress", "me estresa"),
        ("otra vez con ANSIEDAD por la entrega", "anxiety", "ANSIEDAD"),
        ("estoy quemado del trabajo", "burnout", "estoy quemado del trabajo"),
        ("anoche no pude dormir", "sleep", "no pude dormir"),
        ("aqui me siento muy solo", "loneliness", "me siento muy solo"),
        ("ando con depresion", "depressed-mood", "depresion"),
        ("no consigo concentrarme", "poor-concentration", "no consigo concentrarme"),
    ],
)
def test_a_phrase_names_a_marker(
    markers: SpanishMarkers, text: str, label: str, evidence: str
) -> None:
    (sign,) = [sign for sign in markers.find(text) if sign.label == label]
    assert text[slice(*sign.evidence)] == evidence
    assert sign.score >= 0.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "el servidor va muy bien",
        "no tengo ansiedad",
        "sin estrés",
        "arreglado `insomnio --ansiedad`",
    ],
)
def test_calm_denials_and_code_name_none(markers: SpanishMarkers, text: str) -> None:
    assert markers.find(text) == []


def test_more_phrases_make_a_marker_likelier(markers: SpanishMarkers) -> None:
    one, two = "tengo ansiedad", "tengo ansiedad y me angustia todo"
    assert markers.find(two)[0].score > markers.find(one)[0].score


def test_all_labels_are_known_and_none_is_off_by_default(
    markers: SpanishMarkers,
) -> None:
    known = {n.label: n for n in load_labels() if n.task == "marker"}
    labels = {entry.label for entry in markers._entries}
    assert not any(known[label].default_off for label in labels)
