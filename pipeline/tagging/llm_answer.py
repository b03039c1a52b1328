"""What a chat endpoint answered, as far as it may be believed."""

import json
from typing import Literal

import msgspec

from pipeline.tagging.labels import load_labels
from pipeline.tagging.lexicon import Span
from pipeline.tagging.llm_prompt import NO_CATEGORY, Question
from pipeline.tagging.llm_verbatim import find_quote

READING = 2
"""Counted up when answers are read otherwise; the kept ones are asked for anew."""

_THOUGHT = "</think>"


class BadAnswerError(Exception):
    """An answer that is no JSON object of the form that was asked for."""


class NotVerbatimError(Exception):
    """An answer that quotes words which nobody wrote."""


class Judgement(msgspec.Struct, frozen=True, array_like=True):
    """What may be believed of an answer; it holds no words.

    `category` is None where no cause is named. `cause` is a place in the question's
    text, or, where `earlier` is a number, in that text of its context; `feeling` is
    one in the text.
    """

    category: str | None
    certainty: Literal["sure", "likely", "guess"]
    cause: Span | None
    earlier: int | None
    feeling: Span | None


class _Answer(msgspec.Struct):
    cause: str
    category: str
    certainty: Literal["sure", "likely", "guess"]
    feeling: str


def read_answer(content: str, question: Question) -> Judgement:
    """The judgement in an answer to `question`.

    Raises:
        BadAnswerError: it is not as asked for, or names no category of ours.
        NotVerbatimError: its quotations stand nowhere.
    """
    answer = _parsed(content)
    categories = {label.label for label in load_labels() if label.task == "cause"}
    if answer.category not in categories | {NO_CATEGORY}:
        raise BadAnswerError
    found = find_quote(answer.feeling, [question.text])
    if answer.feeling.strip() and found is None:
        raise NotVerbatimError
    feeling = None if found is None else found[1]
    if answer.category == NO_CATEGORY or not answer.cause.strip():
        return Judgement(None, answer.certainty, None, None, feeling)
    latest_first = (question.text, *reversed(question.context))
    cause = find_quote(answer.cause, latest_first)
    if cause is None:
        raise NotVerbatimError
    number, place = cause
    earlier = len(question.context) - number if number else None
    return Judgement(answer.category, answer.certainty, place, earlier, feeling)


def _parsed(content: str) -> _Answer:
    """The first JSON object, whatever is said around it."""
    said = content.rpartition(_THOUGHT)[2]
    start = said.find("{")
    if start < 0:
        raise BadAnswerError
    try:
        found, _ = json.JSONDecoder().raw_decode(said, start)
        return msgspec.convert(found, _Answer)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise BadAnswerError from error
