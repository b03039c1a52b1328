"""What the shipped heads say of sentences that no head was fitted on."""

from collections.abc import Callable

import pytest

from pipeline.tagging.encoder_tagger import EncoderTagger
from pipeline.tagging.tagger import TextToTag

Flagged = Callable[[str], set[str]]

OF_MACHINES = [
    "the child process was killed by the oom reaper",
    "kill me now, the pipeline is red again",
    "call time.sleep(5) and try again",
    "the usb hub does not survive suspend to ram",
    "the thread pool ran out of workers",
    "the scheduler starves the low priority queue",
    "ssh dies after ten minutes of silence",
    "how do i stop the fan, it never slows down",
    "rebase onto main and force push, that should do",
    "the focus ring is hard to see in the dark theme",
    "does anybody know where the mirror list lives",
    "just me or is the mailing list down",
    "the log is empty although verbose is on",
    "a hopeless regression in the scheduler",
    "i panic if i see perl, haha",
    "the cron job runs at 3am every night",
    "wake on lan works, but sleep does not",
    "heavy load makes the battery drain overnight",
]
OF_PEOPLE = [
    ("I have been so anxious about work that I feel sick", "anxiety"),
    ("i keep having panic attacks before every release", "anxiety"),
    ("I haven't been able to sleep for weeks", "sleep-disturbance"),
    ("i hardly slept at all last night", "sleep"),
    ("I am exhausted all the time, no energy for anything", "fatigue"),
]


@pytest.fixture(scope="module")
def flagged() -> Flagged:
    tagger = EncoderTagger.load(suicidality=False, tier="full")

    def markers(text: str) -> set[str]:
        (marks,) = tagger.tag([TextToTag(text, "en", "irc", ())])
        return {mark.label for mark in marks if mark.task == "marker" and mark.flagged}

    return markers


@pytest.mark.parametrize("text", OF_MACHINES)
def test_what_developers_say_of_machines_is_no_marker(
    flagged: Flagged, text: str
) -> None:
    assert flagged(text) == set()


@pytest.mark.parametrize(("text", "marker"), OF_PEOPLE)
def test_what_people_say_of_themselves_is_one(
    flagged: Flagged, text: str, marker: str
) -> None:
    assert marker in flagged(text)
