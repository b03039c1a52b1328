"""A cause is what someone suffers from, not every build or test that is mentioned."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from pipeline.tagging.calibration import CauseScale
from pipeline.tagging.lexicon import Reading, Span


class Mention(NamedTuple):
    """A phrase that names a cause; complaints weigh enough to stand alone."""

    label: str
    weight: float
    place: Span


class Cause(NamedTuple):
    """How likely a label is what hurts, and its likeliest mention."""

    label: str
    logit: float
    evidence: Span


def weigh(
    reading: Reading,
    mentions: Iterable[Mention],
    troubles: Iterable[Span],
    hurts: Iterable[Span],
    scale: CauseScale,
) -> list[Cause]:
    """Each label that is mentioned, once.

    Args:
        reading: the text that all the places are in.
        mentions: what names a cause.
        troubles: words of trouble; one of them next to a mention makes it likelier.
        hurts: evidence of negative emotions, which makes it likelier still.
        scale: by how much.
    """
    trouble = defaultdict(set)
    for place in troubles:
        trouble[reading.sentence(place)].add(place)
    hurting = {reading.sentence(place) for place in hurts}
    likeliest: dict[str, Cause] = {}
    for label, weight, place in mentions:
        sentence = reading.sentence(place)
        logit = scale.bias + weight
        if trouble.get(sentence, set()) - {place}:
            logit += scale.trouble
        if hurting:
            near = sentence in hurting
            logit += scale.negative_near if near else scale.negative_far
        if label not in likeliest or logit > likeliest[label].logit:
            likeliest[label] = Cause(label, logit, place)
    return list(likeliest.values())
