"""What a network is to learn of a text: people's labels, teachers' scores, or both."""

import numpy as np
import numpy.typing as npt

from pipeline.training.batches import Ints

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

NOBODY = -1
"""Row of a text that nobody labelled, or that no teacher has read."""


class HardTargets:
    """People's labels; see `pipeline.training.finetune.Targets`.

    Args:
        labels: texts x outputs, NaN where nobody looked.
    """

    def __init__(self, labels: Floats) -> None:
        self._labels = labels

    def __call__(self, rows: Ints) -> tuple[Floats, Floats]:
        """The labels of some texts, all that are known of a text counting the same."""
        return _shared(self._labels[rows])


class MixedTargets:
    """People's labels and teachers' scores, half and half where a text has both.

    Args:
        labels: of the labelled texts, texts x outputs, NaN where nobody looked.
        labelled: of each text its row of `labels`, or `NOBODY`.
        scores: of texts that teachers read, texts x teachers' outputs, 255 for sure.
        scored: of each text its row of `scores`, or `NOBODY`.
        columns: of each output its column of `scores`, or `NOBODY`.
    """

    def __init__(
        self, labels: Floats, labelled: Ints, scores: Bytes, scored: Ints, columns: Ints
    ) -> None:
        self._labels, self._labelled = labels, labelled
        self._scores, self._scored, self._columns = scores, scored, columns

    def __call__(self, rows: Ints) -> tuple[Floats, Floats]:
        """What people and teachers say of some texts."""
        hard, hard_counts = _shared(self._of(self._labels, self._labelled[rows]))
        soft, soft_counts = _shared(self._soft(self._scored[rows]))
        counts = hard_counts + soft_counts
        # The loss is linear in what is wanted: the weighted mean stands for both.
        wanted = hard * hard_counts + soft * soft_counts
        wanted = np.divide(wanted, counts, out=wanted, where=counts > 0)
        return wanted, counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def _of(self, held: Floats, numbers: Ints) -> Floats:
        """Some rows; those of nobody are unknown."""
        known = numbers != NOBODY
        found = np.full((len(numbers), held.shape[1]), np.nan, np.float32)
        found[known] = held[numbers[known]]
        return found

    def _soft(self, numbers: Ints) -> Floats:
        known, given = numbers != NOBODY, self._columns != NOBODY
        found = np.full((len(numbers), len(given)), np.nan, np.float32)
        rows = self._scores[numbers[known]][:, self._columns[given]]
        found[np.ix_(known, given)] = rows / np.float32(255)
        return found


def _shared(targets: Floats) -> tuple[Floats, Floats]:
    """Targets without NaN, and counts that add up to 1 a text."""
    known = ~np.isnan(targets)
    counts = known / np.maximum(known.sum(axis=1, keepdims=True), 1)
    return np.nan_to_num(targets), counts.astype(np.float32)
