"""The marks of the last texts, so that what is posted again costs next to nothing."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

from pipeline.records import Mark
from pipeline.tagging.tagger import TextToTag

MOST_TEXTS = 8_192
MOST_CHARACTERS = 500
"""What is longer is hardly posted twice."""


class Answers:
    """Texts and their marks, the least lately asked for dropped first.

    A text is known whatever went before it in its thread: marks that rest on that are
    not to be kept.
    """

    def __init__(self, most: int = MOST_TEXTS) -> None:
        self._most = most
        self._known: OrderedDict[TextToTag, tuple[Mark, ...]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, text: TextToTag) -> list[Mark] | None:
        """The marks of a text that is known."""
        key = text._replace(context=())
        with self._lock:
            if key not in self._known:
                return None
            self._known.move_to_end(key)
            return list(self._known[key])

    def keep(self, text: TextToTag, marks: Sequence[Mark]) -> None:
        """Know the marks of a text, unless it is long."""
        if len(text.text) > MOST_CHARACTERS:
            return
        with self._lock:
            self._known[text._replace(context=())] = tuple(marks)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
