"""Which runs of words can name a cause: those that end somewhere and say something.

The words are the commonest; what they cost and gain is in docs/causes.md.
"""

import re

import numpy as np

from pipeline.tagging.cause_words import Bools, Ints, Prose

_GOING_ON = (
    "a an the my your our their his its whose some any every each no another such of "
    "to in on at with by from for into about than since without within because between "
    "over under after before during through against per via as like upon onto behind "
    "and or but nor if when while although though unless until whether that which who "
    "so where is are was were be been am i'm do does did don't doesn't didn't can "
    "can't could would should will won't has have had it's that's there's i we they "
    "not very really too quite"
)
_LEADING_ON = frozenset(_GOING_ON.split())
"""What is never the last word of a clause that goes on; ..."""

_REASONS = frozenset({"because", "due", "since", "when"})
"""... and what a run never stops short of."""

_OUTCRY = re.compile(
    r"(?:a?(?:ha|he|hi|ja)){2,}h?|l+o+l+|lmao|rofl|xd|wtf|wth|omf?g|ffs|"
    r"a+r+g+h*|u+g+h+|g+r+r+|h*m+|[oa]+h+|w+o+w+|w+o+o+t+|y+a+y+|e+w+|oops|sigh|"
    r"damn|dammit|shit|fuck|hell|crap|thx|ty|tysm|tnx|thanks?|cheers|"
    r"nope|no|nah|yes|yep|yeah|yup|ok|okay|please|pl[sz]|"
    r"angry|sad|mad|furious|annoy(?:ed|ing)|frustrat(?:ed|ing)|upset|happy|glad|"
    r"scared|afraid|crying|hate|love"
)
"""Words that are an emotion, or an answer, and tell of nothing else; ..."""

_ADDING_NOTHING = (
    "i i'm im am are is it it's its this that that's so you u we my me the a just too "
    "all very really lot much at do what how of"
)
_SMALL = frozenset(_ADDING_NOTHING.split())
"""... and those that add nothing to them."""


def ends_well(prose: Prose) -> Bools:
    """Of each word whether a run may end with it.

    It may not where the clause goes on and the word leads on to more, nor where it
    would leave out a reason, or the last word of the clause alone.
    """
    pauses = prose.pauses[1:]
    leading = np.array([word in _LEADING_ON for word in prose.words])
    reason = np.array([word in _REASONS for word in [*prose.words[1:], ""]])
    before_last = np.append(pauses[1:], False)
    well: Bools = pauses | ~(leading | reason | before_last)
    return well


def tell(prose: Prose, first: Ints, last: Ints) -> Bools:
    """Of each run whether it says more than that somebody feels something.

    The single word of a message never does.
    """
    if len(prose.words) == 1:
        return np.zeros(len(first), np.bool_)
    telling = [word not in _SMALL and not _is_outcry(word) for word in prose.words]
    before = np.concatenate([[0], np.cumsum(telling)])
    more: Bools = before[last + 1] > before[first]
    return more


def _is_outcry(word: str) -> bool:
    return _OUTCRY.fullmatch(word) is not None
