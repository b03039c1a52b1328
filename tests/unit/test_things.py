import pytest

from pipeline.tagging.masking import mask
from pipeline.tagging.phrases import plain
from pipeline.tagging.things import Things


@pytest.fixture(scope="module")
def things() -> Things:
    return Things(
        ["worker", "pool", "input", "disk", "proxy", "class", "root", "signal"],
        ["team", "i", "i'm", "everyone", "job", "lot"],
    )


def said_of_thing(things: Things, marked: str) -> bool:
    """`marked` has the phrase in square brackets."""
    start, end = marked.index("["), marked.index("]") - 1
    text = plain(mask(marked.replace("[", "").replace("]", "")))
    return things.say(text, (start, end))


@pytest.mark.parametrize(
    "text",
    [
        "the worker is [exhausted]",
        "workers are still completely [exhausted]",
        "The old frobnicator [can't sleep] while it holds the lock",
        "proxies that were [isolated]",
        "a class with [no friends]",
        "`foo` is [exhausted]",
        "we [completely exhausted] the pool",
        "I [can't focus] the input",
        "[fatigue] of the disk",
        "a [suicide] signal ends it",
        "each gizmo feels [abandoned]",
        "Well, the worker [was up all night]",
    ],
)
def test_a_state_of_a_thing_is_known(things: Things, text: str) -> None:
    assert said_of_thing(things, text)


@pytest.mark.parametrize(
    "text",
    [
        "[exhausted]",
        "I'm [exhausted] by the worker",
        "I am [exhausted]",
        "everyone is [exhausted]",
        "the team is [exhausted]",
        "my sister is [exhausted]",
        "the job is [exhausting]",
        "the gizmo is [driving me crazy]",
        "the worst [anxiety] ever",
        "the worker died. [Exhausted] now",
        "after the disk crash, [so tired]",
        "we [can't sleep]",
        "stuck in a city with [no friends]",
        "a lot of [stress]",
        "[stressed] by everyone in the worker class",
    ],
)
def test_a_state_of_a_person_is_left(things: Things, text: str) -> None:
    assert not said_of_thing(things, text)


def test_the_shipped_lists_share_no_word() -> None:
    shipped = Things.load()
    assert not shipped._things & shipped._people
