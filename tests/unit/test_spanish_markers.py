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
    assert sign.evidence
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


def test_all_labels_are_known(markers: SpanishMarkers) -> None:
    known = {label.label for label in load_labels() if label.task == "marker"}
    assert {entry.label for entry in markers._entries} == known | {"-"}


def test_suicidality_is_named_only_if_asked_for_and_keeps_no_evidence(
    markers: SpanishMarkers,
) -> None:
    text = "he pensado en quitarme la vida"
    assert markers.find(text) == []
    (sign,) = markers.find(text, suicidality=True)
    assert (sign.label, sign.evidence) == ("suicidality", None)
    assert sign.score >= 0.5


@pytest.mark.parametrize(
    "text",
    [
        "me muero de risa",
        "me quiero morir de la vergüenza, subí la clave",
        "me quiero morir jaja",
        "no me quiero morir",
        "no quiero vivir solo",
        "hay que matar el proceso",
        "suicidio del proceso hijo tras el periodo de gracia",
        "el demonio se suicida",
        "un intento de suicidio del proceso hijo",
        "quiero acabar con todo este código muerto",
        "quiero desaparecer este botón de la barra",
    ],
)
def test_idioms_and_processes_are_no_suicidality(
    markers: SpanishMarkers, text: str
) -> None:
    assert markers.find(text, suicidality=True) == []


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("estoy muy agotada", "fatigue"),
        ("esto me ha dejado completamente exhausto", "fatigue"),
        ("Sigo saturado y sin energía", "stress"),
        ("me siento algo deprimido", "depressed-mood"),
    ],
)
def test_a_state_counts_of_oneself(
    markers: SpanishMarkers, text: str, label: str
) -> None:
    assert label in {sign.label for sign in markers.find(text)}


@pytest.mark.parametrize(
    "text",
    [
        "la memoria está agotada",
        "el disco acabó quemado",
        "no estoy agotado",
        "tiempo agotado",
        "pruebas de estrés y depresión del terreno",
        "fue culpa mía, ya lo arreglo",
    ],
)
def test_a_state_of_a_thing_or_denied_does_not(
    markers: SpanishMarkers, text: str
) -> None:
    assert markers.find(text) == []
