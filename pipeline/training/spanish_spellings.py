"""Fits what the spellings of `pipeline.tagging.spanish_spellings` say."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, diags_array
from sklearn.linear_model import LogisticRegression

from pipeline.tagging.spanish_spellings import Spellings, runs_of
from pipeline.training.contrast import contrast

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

STRENGTH = 8.0
"""Inverse of the regularisation; between 4 and 16 hardly anything changes."""

CONTRAST = 0.5
"""See `pipeline.training.contrast`: worth 1.6 points of macro-F1, cross-validated."""

_COMMON = 2
"""Texts that a run must be in."""


def fit_spellings(texts: Sequence[str], truth: Bools) -> Spellings:
    """Weights for the labels of `truth`, texts x labels."""
    runs, rarity, matrix = tf_idf(texts, _COMMON)
    weights, biases = [], []
    for column in truth.T:
        telling = contrast(matrix, column.astype(np.float64), CONTRAST)
        model = LogisticRegression(C=STRENGTH, solver="liblinear")
        model.fit(matrix @ diags_array(telling), column)
        weights.append(telling * model.coef_[0])
        biases.append(model.intercept_[0])
    weight = np.stack(weights, axis=1).astype(np.float32)
    return Spellings(runs, rarity, weight, np.array(biases, np.float32))


def tf_idf(texts: Sequence[str], common: int) -> tuple[list[str], Floats, csr_array]:
    """Runs that so many texts hold, how rare each is, and texts x runs.

    The length of each text's row is one.
    """
    counts = [Counter(run.spelling for run in runs_of(text)) for text in texts]
    spread = Counter(run for counted in counts for run in counted)
    runs = sorted(run for run, number in spread.items() if number >= common)
    numbers = np.array([spread[run] for run in runs])
    rarity = (np.log((1 + len(texts)) / (1 + numbers)) + 1).astype(np.float32)
    return runs, rarity, _matrix(counts, runs, rarity)


def _matrix(
    counts: Sequence[Counter[str]], runs: Sequence[str], rarity: Floats
) -> csr_array:
    """Texts x runs, the length of each text's row being one."""
    column = {run: number for number, run in enumerate(runs)}
    columns: list[int] = []
    values: list[float] = []
    ends = [0]
    for counted in counts:
        found = [(column[run], n) for run, n in counted.items() if run in column]
        loud = np.array([(1 + np.log(n)) * rarity[place] for place, n in found])
        columns += [place for place, _ in found]
        values += (loud / np.linalg.norm(loud)).tolist()
        ends.append(len(columns))
    # scikit-learn takes no wider numbers.
    places = (np.array(columns, np.int32), np.array(ends, np.int32))
    return csr_array((np.array(values), *places), shape=(len(counts), len(runs)))
