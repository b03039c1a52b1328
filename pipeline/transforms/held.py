"""What a worker process makes once and keeps for every run of the pipeline.

Beam makes its DoFns anew in each run, and a micro-batch is a run: a log, a tagger
or a memory of keys must outlive it.
"""

import threading
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar
from uuid import uuid4

T = TypeVar("T")


class Held(Generic[T]):
    """A reference that pickles to the same object within a process.

    Args:
        make: makes the object where a process has none yet; it is pickled.
    """

    _lock: ClassVar[threading.RLock] = threading.RLock()
    _made: ClassVar[dict[str, Any]] = {}

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._key = uuid4().hex

    def get(self) -> T:
        """The object, made by the first call."""
        with self._lock:
            if self._key not in self._made:
                self._made[self._key] = self._make()
            made: T = self._made[self._key]
            return made

    def drop(self) -> None:
        """Forget the object; the next `get` makes another."""
        with self._lock:
            self._made.pop(self._key, None)
