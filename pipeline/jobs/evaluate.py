"""`groundswell evaluate`: how good a tagger is on gold labels, and which of two is.

What is judged is what `groundswell tag --all` answers to the same lines.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

import msgspec
import structlog
from tqdm import tqdm

from pipeline.config import TaggerName, TaggingSettings, Tier
from pipeline.errors import InputError
from pipeline.evaluation.faithfulness import EvidenceFigure, pointed, probe
from pipeline.evaluation.gold import CAUSE_SPAN, GoldFile, GoldLine, read_folder
from pipeline.evaluation.result import (
    LabelledMessage,
    LabelSet,
    Result,
    SpannedMessage,
    SpanSet,
    figures,
)
from pipeline.evaluation.spans import nearness
from pipeline.jobs.redacted import load_for_files
from pipeline.jobs.tag import Answer, MarkOut, finishing, tag_lines
from pipeline.tagging.tagger import Tagger, TextToTag

WARM_UP = b'{"id": 0, "text": "What comes first should not be timed."}'

log = structlog.get_logger()

_decode = msgspec.json.Decoder(Answer).decode


class Asked(NamedTuple):
    """A tagger, and how it was asked for: `lexicon` or `encoder:fast`."""

    name: str
    tagger: Tagger


def load_asked(
    asked: str | None, settings: TaggingSettings, *, suicidality: bool
) -> Asked:
    """The tagger NAME[:TIER], or without either the settings' own.

    Raises:
        InputError: there is no such tagger.
        ConfigError: its packages are not installed.
    """
    given = zip(("tagger", "tier"), (asked or "").split(":", 1), strict=False)
    chosen = {key: value for key, value in given if value}
    for key, known in (("tagger", get_args(TaggerName)), ("tier", get_args(Tier))):
        if key in chosen and chosen[key] not in known:
            raise InputError(
                f"{chosen[key]!r} is no {key}: choose one of {', '.join(known)}, as in "
                "encoder:fast"
            )
    wanted = msgspec.structs.replace(settings, **chosen)
    tier = f":{wanted.tier}" if wanted.tagger == "encoder" else ""
    return Asked(wanted.tagger + tier, load_for_files(wanted, suicidality=suicidality))


def evaluate(
    folder: Path, asked: Asked, *, evidence: bool, show_progress: bool
) -> Result:
    """Tag every gold file of a folder and say how good the marks are.

    Args:
        folder: holds *.jsonl; see `pipeline.evaluation.gold`.
        asked: the tagger that is judged.
        evidence: whether to test the evidence, too.
        show_progress: draw a bar on the terminal.

    Raises:
        InputError: the folder or a file of it cannot be used.
        ConfigError: the packages to compare causes with are not installed.
    """
    files, tagger = read_folder(folder), asked.tagger
    if any(line.cause is not None for file in files for line in file.lines):
        nearness("", "")  # what is not installed is missed before the work, not after
    with finishing(tagger):
        list(tag_lines([WARM_UP], tagger, every_mark=True))
        judged = [_Judged(file, tagger, show_progress=show_progress) for file in files]
        probed = (
            _evidence(judged, tagger, show_progress=show_progress) if evidence else []
        )
    sets = [one for file in judged for one in file.sets()]
    messages = sum(len(file.answers) for file in judged)
    result = Result(
        tagger=tagger.name,
        settings=asked.name,
        messages=messages,
        cpu_s_per_message=sum(file.cpu_s for file in judged) / messages,
        figures=figures(sets),
        evidence=probed,
        sets=sets,
    )
    if not show_progress:
        log.info("evaluate-finished", tagger=asked.name, messages=messages)
    return result


class _Judged:
    """A file of gold, the tagger's answer to each of its lines, and what they took."""

    def __init__(self, file: GoldFile, tagger: Tagger, *, show_progress: bool) -> None:
        self.file = file
        raw = {line.number: line.raw for line in file.lines}
        start = time.process_time()
        said = list(
            tqdm(
                tag_lines(raw.values(), tagger, every_mark=True),
                desc=file.name,
                total=len(raw),
                unit=" messages",
                disable=not show_progress,
            )
        )
        self.cpu_s = time.process_time() - start
        self.answers = dict(zip(raw, map(_decode, said), strict=True))

    def sets(self) -> Iterator[LabelSet | SpanSet]:
        """What is kept of it, task by task."""
        for task in dict.fromkeys(line.task for line in self.file.lines):
            lines = [line for line in self.file.lines if line.task == task]
            given = (self.file.name, self.file.digest, task)
            cpu_s = self.cpu_s / len(self.answers)
            if task == CAUSE_SPAN:
                yield SpanSet(*given, cpu_s, [self._spanned(line) for line in lines])
            else:
                yield LabelSet(*given, cpu_s, [self._labelled(line) for line in lines])

    def _labelled(self, line: GoldLine) -> LabelledMessage:
        marks = self._marks(line)
        return LabelledMessage(
            line=line.number,
            platform=line.platform,
            labels=tuple(sorted(line.labels or ())),
            flagged=tuple(mark.label for mark in marks if mark.flagged),
            scores={mark.label: mark.score for mark in marks},
        )

    def _spanned(self, line: GoldLine) -> SpannedMessage:
        """The surest flagged cause counts, as in the message's own words."""
        marks = [mark for mark in self._marks(line) if mark.flagged and mark.evidence]
        surest = max(marks, key=lambda mark: mark.score, default=None)
        start, end = (surest and surest.evidence) or (0, 0)
        near = nearness(line.cause or "", line.text[start:end])
        return SpannedMessage(line.number, line.platform, surest is not None, *near)

    def _marks(self, line: GoldLine) -> list[MarkOut]:
        marks = self.answers[line.number].marks
        return [mark for mark in marks if mark.task == line.task]

    def texts(self) -> Iterator[TextToTag]:
        """What was tagged, in the language it was taken for."""
        for number, line in {line.number: line for line in self.file.lines}.items():
            language = self.answers[number].language
            yield TextToTag(line.text, language, line.platform, line.context)


def _evidence(
    judged: Sequence[_Judged], tagger: Tagger, *, show_progress: bool
) -> list[EvidenceFigure]:
    """The tests of the evidence, file by file."""
    found: list[EvidenceFigure] = []
    for one in judged:
        marks = pointed(tagger, list(one.texts()))
        with tqdm(
            desc=f"{one.file.name}, evidence",
            total=len(marks),
            unit=" marks",
            disable=not show_progress,
        ) as bar:
            found += probe(one.file.name, tagger, marks, bar.update)
    return found
