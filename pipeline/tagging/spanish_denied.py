"""Emotions that a Spanish text names only to deny them: "no tengo miedo".

An encoder that learnt from comments full of feelings hears the word, not the "no"
before it. So the word is not shown to it. Only light words may stand between the two:
in "no que miedo" and "no puedo estar más contento" nothing is denied.
"""

import re
import unicodedata
from typing import Final

_NO = "no|ni|sin|nunca|jamas|tampoco|nadie"
_LIGHT = (
    "es que|por que|te(?= preocup)|me|nos|se|lo|la|los|las|le|les|ya|un|una|de|para|a|"
    "estoy|estamos|esta|estan|estaba|estuve|he|hemos|ha|han|habia|hay|hace|falta|"
    "tengo|tenemos|tiene|tenia|tuve|siento|sentimos|senti|da|dan|daba|dio|causa|"
    "es|son|era|fue|mi|mis|nada|ningun|ninguna|ninguno|mucho|mucha|muy|tan|ni|"
    "motivo|motivos|razon"
)
_FELT = (
    "miedo|temo|temor|temem|terror|panico|asust|preocup|nervios|alarm|ansi[eo]|"
    "angusti|inquiet|trist|entriste|penas?\\b|llor|deprim|dolor|duele|decepcion|"
    "enfad|enoj|furios|rabia|ira\\b|odi[oea]|molest|cabre|indign|frustr|irrit|"
    "asco|asque|disgust|repugn|alegr|feli[zc]|content[oa]|descontent|encant|emocion|"
    "sorpr|asombr|extran[ao]|estres|queja"
)
_MOST_BETWEEN = 4
_DENIED: Final = re.compile(
    rf"\b(?:{_NO})(?: (?:{_LIGHT})\b){{0,{_MOST_BETWEEN}}} (?P<felt>(?:{_FELT})\w*)"
)


def undenied(text: str) -> str:
    """The text, of the same length, with blanks for the emotions that it denies."""
    shown = list(text)
    for found in _DENIED.finditer(_plain(text)):
        start, end = found.span("felt")
        shown[start:end] = " " * (end - start)
    return "".join(shown)


def _plain(text: str) -> str:
    """Small letters without accents, a character for each of the text's."""
    return "".join(unicodedata.normalize("NFD", sign)[0].lower()[0] for sign in text)
