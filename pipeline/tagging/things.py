"""Is a state said of a thing? "The worker is exhausted" tells of nobody's fatigue.

Developers say of machines what is grave of people: threads starve, nodes are isolated,
keys are depressed. So who is in that state is looked for: the nearest noun before the
words, past "is", "has been", "completely" and the like, or what follows them: "fatigue
of the disk". lexicons/things.txt lists things, people.txt people and what is theirs;
any other noun after "the" or "a" is taken for a thing, after "my" for the author's.
"""

import re
from collections.abc import Iterable
from typing import Self

from pipeline.tagging.lexicon import Span
from pipeline.tagging.masking import BLANK
from pipeline.tagging.wordlists import load_phrases

_REACH = 90
"""Characters before a phrase in which its subject may stand."""

_CLAUSE_END = re.compile(r"[.!?;:,()\n\"]")
_WORD = re.compile(rf"[\w'+#-]+|{BLANK}+")
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|i've|im|ive|me|my|myself|us|we|we're|our)\b")

# What stands between a subject and what is said of it: verbs, and words beside them.
# Without a verb "the worst anxiety" is no state of a thing.
_VERB = """
is are was were be been isn't aren't wasn't weren't has have had hasn't haven't
hadn't can can't cannot could couldn't will won't would wouldn't
gets get got become becomes became feel feels felt look looks looked
seem seems seemed stay stays stayed keeps keep kept remain remains goes go went does
did do doesn't didn't don't never with without commit commits committed committing
attempt attempts attempted decides wants needs suffer suffers suffered suffering
tries starts started
"""
_BESIDE = """
not n't no longer so very too really completely totally utterly entirely fully
quite rather pretty mentally physically already still also even often always
constantly again now then soon ever almost nearly all both simply easily quickly
suddenly finally only usually sometimes to from under which that who just
"""
_VERBS = frozenset(_VERB.split())
_LIGHT = _VERBS | set(_BESIDE.split())
_LINKS = frozenset({"with", "without"})
"""Past these only what is surely a thing counts."""

_VERB_FIRST = re.compile(
    r"(?:can't|cant|cannot|can not|couldn't|could not|couldnt|don't|doesn't|never|has|"
    r"lost|losing|woke|wakes|wake|is|are|was|were|been|up|awake|stays|stayed|ran|runs|"
    r"won't|keeps|kept|feel|feels|felt|life is)\b"
)
# "The job is draining" says what it does to people, not how it is.
_ABOUT_WHAT_IT_DOES = re.compile(
    r"(?:ful|ing|some|atic|able|ptsd|cancer|diagnosed|worry|worries|hurts?|fault)\Z"
)
_DETERMINER = "the a an each every its this that these those any one"
_DETERMINERS = frozenset(_DETERMINER.split())
_OWNED = frozenset({"my", "our", "your", "his", "her", "their"})
_MOST_WORDS = 4
"""Of a noun and what stands before it: "the old connection pool"."""

# "exhausted the pool" is done to it, "exhausted by the build" is somebody.
_DOES = re.compile(
    r"(?:exhaust|drain|stress|depress)\w*\Z|(?:focus|concentrate|spent|out|from)\Z"
)
_DONE_TO = re.compile(r" (?:the|a|an|all|our|its|this|that|each|every|any) ")
_NOTHING = re.compile(" ")
_OF = re.compile(r" (?:of|in)(?: (?:the|a|an|our|its|this|that|all))? ")


_SHORT = 3
"""Letters of a word that is no plural: "is", "its", "bus"."""


class Things:
    """Tells things from people.

    Args:
        things: nouns, in the singular.
        people: nouns for people and for what only people have, in the singular.
    """

    def __init__(self, things: Iterable[str], people: Iterable[str]) -> None:
        self._things = frozenset(things)
        self._people = frozenset(people)

    @classmethod
    def load(cls) -> Self:
        """The shipped lists."""
        return cls(load_phrases("things"), load_phrases("people"))

    def say(self, text: str, place: Span) -> bool:
        """Whether the words at `place` are said of a thing.

        Args:
            text: in lower case, all that is not prose blanked.
            place: of a phrase that is found in it.
        """
        start, end = place
        if _FIRST_PERSON.search(text, start, end):
            return False
        before = _CLAUSE_END.split(text[max(0, start - _REACH) : start])[-1]
        after, phrase = text[end : end + _REACH], text[start:end]
        if self._is_subject(before, phrase) or self._is_compound(before, after):
            return True
        if _DOES.search(phrase) and self._follows(after, _DONE_TO):
            return True
        return not _FIRST_PERSON.search(before) and self._follows(after, _OF)

    def _is_subject(self, before: str, phrase: str) -> bool:
        """Whether a thing is the last noun before a verb, light words left aside."""
        words = _WORD.findall(before)
        said = _VERB_FIRST.match(phrase) is not None
        linked = False
        while words and words[-1] in _LIGHT:
            word = words.pop()
            said, linked = said or word in _VERBS, word in _LINKS
        if not said or not words or _ABOUT_WHAT_IT_DOES.search(phrase):
            return False
        if self._is_person(words[-1]):
            return False
        return self._is_thing(words[-1]) or (not linked and self._is_noun(words))

    def _is_compound(self, before: str, after: str) -> bool:
        """Whether a thing has its name from the words: "a suicide signal"."""
        words = _WORD.findall(before)
        named = bool(words) and words[-1] in _DETERMINERS
        if not named and _FIRST_PERSON.search(before):
            return False
        return self._follows(after, _NOTHING)

    def _is_noun(self, words: list[str]) -> bool:
        """Whether the last words are a noun that is no person's, as "the" tells."""
        for word in reversed(words[-_MOST_WORDS - 1 : -1]):
            if word in _OWNED or self._is_person(word):
                return False
            if word in _DETERMINERS:
                return True
        return False

    def _follows(self, after: str, link: re.Pattern[str]) -> bool:
        """Whether a thing comes right after the words, behind `link`."""
        found = link.match(after)
        if found is None:
            return False
        nouns = _CLAUSE_END.split(after[found.end() :])[0]
        most = 1 if link is _NOTHING else _MOST_WORDS
        words = _WORD.findall(nouns)[:most]
        return any(map(self._is_thing, words)) and not any(map(self._is_person, words))

    def _is_thing(self, word: str) -> bool:
        return word[0] == BLANK or not self._things.isdisjoint(_singular(word))

    def _is_person(self, word: str) -> bool:
        return not self._people.isdisjoint(_singular(word))


def _singular(word: str) -> tuple[str, ...]:
    """A noun as lists may have it: "caches", "proxies", "laptop's"."""
    bare = word.removesuffix("'s")
    if len(bare) <= _SHORT:
        return (bare,)
    return (bare, bare.removesuffix("s"), bare.removesuffix("es"), f"{bare[:-3]}y")
