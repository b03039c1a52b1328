import subprocess
import sys

import pytest

from pipeline.config import TaggingSettings
from pipeline.records import Mark
from pipeline.tagging.load import load_tagger
from pipeline.tagging.spanish import SHIPPED, shipped_spanish
from pipeline.tagging.tagger import Tagger, TextToTag

MEGABYTES = 10**6
EMOTIONS = {"anger", "disgust", "fear", "joy", "sadness", "surprise"}
SPELT = len(EMOTIONS) + 1
"""What spellings say: of each emotion, and whether there is any."""

UNSEEN = """
El hilo principal queda a la espera del socket.
¿Alguien tiene el enlace al tablero de métricas?
Abrí una rama nueva desde main para el arreglo.
Las credenciales se leen desde el gestor de secretos.
hay que correr las migraciones antes de levantar el backend
¿Qué formato de fecha espera el endpoint?
El pod se reinició por el límite de memoria.
Moví la validación al modelo y quité el middleware.
Probá con la última imagen de la registry.
En la página 14 del manual aparece el diagrama de estados.
La cabecera Content-Type tiene que ser application/json.
Después del almuerzo reviso tu pull request.
Kubernetes programa el contenedor en otro nodo.
¿Cuál es el tamaño máximo de un mensaje en la cola?
El hash se calcula sobre el contenido comprimido.
La tabla de auditoría crece dos gigas por semana.
Anoche corrió el trabajo de limpieza y borró los temporales.
Me podrías explicar cómo se genera el archivo de bloqueo
Este bug ya está reportado en el repositorio original.
El equipo de seguridad pidió rotar las llaves.
No me da miedo borrar esa rama, está todo en el remoto.
Deprecamos ese endpoint en la versión pasada.
Con un semáforo se limita el número de tareas simultáneas.
Las imágenes de fondo se cargan de forma perezosa.
El despliegue terminó a las 18:05.
Hola, buenas tardes, vengo del canal de bases de datos.
¿Se te actualizó el sistema operativo o sigues en la anterior?
Usen el otro puerto mientras tanto.
El abogado del cliente envió el contrato firmado.
La función recursiva termina cuando la lista está vacía.
"""
"""Calm sentences that nothing was fitted on, written when all was; keep it so."""

MOST_UNSEEN = 0.05


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return load_tagger(TaggingSettings(tagger="encoder"), suicidality=False)


def marks(tagger: Tagger, text: str) -> list[Mark]:
    return tagger.tag([TextToTag(text, "es", "github", ())])[0]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Me encanta cómo quedó, felicidades a todo el equipo", "joy"),
        ("qué asco de interfaz", "disgust"),
        ("tengo miedo de tocar este módulo", "fear"),
        ("me da mucha tristeza que cierren el proyecto, voy a llorar", "sadness"),
        ("ESTOY HARTA DE ESTOS IDIOTAS, LOS ODIO", "anger"),
    ],
)
def test_spanish_texts_are_judged(tagger: Tagger, text: str, label: str) -> None:
    assert label in {mark.label for mark in marks(tagger, text) if mark.flagged}


def test_what_flags_a_text_is_words_of_it(tagger: Tagger) -> None:
    text = "Hoy no compila nada. ¡Qué asco de código, por favor!"
    (mark,) = [mark for mark in marks(tagger, text) if mark.label == "disgust"]
    assert mark.evidence is not None
    words = text[slice(*mark.evidence)]
    assert words == words.strip(" ¡!.,")
    assert "asco" in words


@pytest.mark.parametrize(
    "text",
    [
        "Subí el parche al servidor de integración.",
        "¿Quién puede decirme dónde se cambia el idioma del teclado?",
        "Renombré la columna y ajusté la consulta.",
        "La clase abstracta define tres métodos públicos.",
        "Ejecutá make clean y después volvé a compilar.",
        "El demonio mata a los procesos que exceden la memoria.",
        "me sale un error al montar la unidad de red",
        "La nueva biblioteca reemplaza a la que usábamos para las fechas.",
        "No tengo miedo de las migraciones largas.",
        "No estoy triste, todo va bien.",
    ],
)
def test_calm_talk_of_developers_shows_no_emotion(tagger: Tagger, text: str) -> None:
    flagged = {mark.label for mark in marks(tagger, text) if mark.flagged}
    assert flagged <= {"neutral"}


def test_of_unseen_calm_sentences_hardly_any_is_flagged(tagger: Tagger) -> None:
    texts = UNSEEN.strip().splitlines()
    flagged = [
        {mark.label for mark in marks(tagger, text) if mark.flagged} for text in texts
    ]
    wrong = [labels for labels in flagged if labels - {"neutral"}]
    assert len(wrong) / len(texts) <= MOST_UNSEEN


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Muchas gracias, funcionó perfecto!", "joy"),
        ("Qué asco de error, llevo tres horas con esto", "disgust"),
        ("Odio este maldito compilador.", "anger"),
        ("Estoy furioso con esta actualización, ha roto todo.", "anger"),
        ("Me da pánico desplegar esto el viernes.", "fear"),
    ],
)
def test_developers_who_feel_something_are_not_neutral(
    tagger: Tagger, text: str, label: str
) -> None:
    flagged = {mark.label for mark in marks(tagger, text) if mark.flagged}
    assert label in flagged
    assert "neutral" not in flagged


def test_no_emotion_is_likelier_than_that_there_is_any(tagger: Tagger) -> None:
    for text in ("qué asco", "el puerto es el 80", "no sé, qué raro"):
        scores = {mark.label: mark.score for mark in marks(tagger, text)}
        calm = scores.pop("neutral", 0.0)
        assert max(scores.values(), default=0.0) <= 1 - calm + 0.011


@pytest.mark.parametrize(
    "text",
    [
        "La función devuelve una lista.",
        "¿En qué carpeta se guardan los registros?",
        "Ejecutá make clean y después volvé a compilar.",
    ],
)
def test_a_text_without_emotion_is_neutral_and_needs_no_evidence(
    tagger: Tagger, text: str
) -> None:
    (mark,) = [mark for mark in marks(tagger, text) if mark.label == "neutral"]
    assert (mark.task, mark.flagged, mark.evidence) == ("fine-emotion", True, None)


def test_a_denied_emotion_is_no_evidence(tagger: Tagger) -> None:
    text = "No tengo miedo, pero qué asco me da este código"
    for mark in marks(tagger, text):
        if mark.evidence is not None:
            assert "miedo" not in text[slice(*mark.evidence)]


def test_only_what_spanish_texts_were_labelled_for_is_judged(tagger: Tagger) -> None:
    found = {(mark.task, mark.label) for mark in marks(tagger, "qué día tan raro")}
    known = {("basic-emotion", label) for label in EMOTIONS}
    assert found <= known | {("fine-emotion", "neutral")}


def test_markers_are_found_by_phrases(tagger: Tagger) -> None:
    found = marks(tagger, "llevo días con insomnio por la entrega")
    (mark,) = [mark for mark in found if mark.label == "sleep"]
    assert mark.flagged
    assert mark.tagger == tagger.name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "¡",
        "no " * 40_000,
        "😡" * 500,
        "`qué asco`",
        "ay \u202e\u05dd\u05d5\u05dc\u05e9 qué",
    ],
)
def test_whatever_the_text_there_is_an_answer(tagger: Tagger, text: str) -> None:
    for mark in marks(tagger, text):
        assert 0 <= mark.score <= 1


def test_spellings_add_up_to_what_they_say_of_the_text() -> None:
    reading = shipped_spanish().reading("me da ascooo esta cosa")
    spelt = reading.pooled[-SPELT:]
    nothing = shipped_spanish().reading("").pooled[-SPELT:]
    added = reading.states[:, -SPELT:].mean(axis=0)
    assert added == pytest.approx(spelt - nothing, abs=1e-3)


def test_nothing_spanish_is_loaded_for_english_texts() -> None:
    code = """
from pipeline.config import TaggingSettings
from pipeline.tagging.load import load_tagger
from pipeline.tagging.spanish import shipped_spanish
from pipeline.tagging.tagger import TextToTag
tagger = load_tagger(TaggingSettings(tagger="encoder"), suicidality=False)
tagger.tag([TextToTag("I hate this build", "en", "github", ())])
assert shipped_spanish.cache_info().currsize == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_files_fit_into_the_package() -> None:
    total = sum(path.stat().st_size for path in SHIPPED.iterdir())
    assert total <= 21 * MEGABYTES


@pytest.mark.parametrize("wanted", [True, False])
def test_suicidality_is_tagged_in_spanish_where_it_is_wanted(*, wanted: bool) -> None:
    tagger = load_tagger(TaggingSettings(), suicidality=wanted)
    text = TextToTag("No quiero vivir más, me quiero suicidar", "es", "irc", ())
    (found,) = tagger.tag([text])
    flagged = {mark.label for mark in found if mark.task == "marker" and mark.flagged}
    assert ("suicidality" in flagged) == wanted
