"""Causes that are alike, by the words that they share.

As in Imran et al. (ICSE 2024), who clustered what frustrated TensorFlow's developers:
each cause becomes a vector, and HDBSCAN finds where vectors are dense, so that what is
like nothing else belongs nowhere. The vectors are those of latent semantic analysis
(Deerwester et al., 1990): on 62 causes with known clusters the nearest neighbour is of
the same one for 92 %, and for 61 to 77 % by any layer of our encoder, which was trained
to tell feelings and not topics. docs/themes.md has the figures.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.preprocessing import normalize

Numbers = npt.NDArray[np.int64]

DIMENSIONS = 10
SMALLEST = 5
SMALLEST_SHARE = 0.005
"""Of all causes: so that a hundred times as many give no hundred times the themes."""

_WORD = r"(?u)\b[^\W\d_][\w+#-]*[\w+#]"
_SMALL_TALK = (
    "don doesn didn isn aren wasn weren won wouldn couldn shouldn hasn haven ain ve ll "
    "im just like really think thing things know want guess ok"
)
_STOP = sorted(ENGLISH_STOP_WORDS.union(_SMALL_TALK.split()))
_LEAST_TEXTS = 2
_NEIGHBOURS = 2
_SEED = 1


def cluster(texts: Sequence[str]) -> Numbers:
    """The number of each text's cluster, from 0; -1 for what belongs to none.

    The same texts in the same order always give the same numbers.
    """
    vectors = _vectors(texts)
    smallest = max(SMALLEST, round(len(texts) * SMALLEST_SHARE))
    numbers = np.full(len(texts), -1)
    # A text without any shared word has no direction, and is near nothing.
    known = np.flatnonzero(np.abs(vectors).sum(axis=1) > 0)
    if len(known) >= 2 * smallest:
        found = HDBSCAN(
            min_cluster_size=smallest, min_samples=_NEIGHBOURS, copy=True
        ).fit_predict(vectors[known])
        numbers[known] = np.maximum(found, -1)
    return numbers


def word_counts(texts: Sequence[str]) -> tuple[csr_matrix, list[str]]:
    """Texts x words, 1 where a text holds a word, and the words in order.

    Words of every kind of English text are left out, and those of a single text.
    """
    analyse = _vectoriser(binary=True, use_idf=False, norm=None)
    try:
        counts = analyse.fit_transform(texts)
    except ValueError:  # no word is left
        return csr_matrix((len(texts), 0)), []
    return counts, list(analyse.get_feature_names_out())


def _vectors(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Texts x dimensions, each of length 1, or 0 for a text without shared words."""
    try:
        words = _vectoriser(sublinear_tf=True).fit_transform(texts)
    except ValueError:
        return np.zeros((len(texts), 1))
    dimensions = min(DIMENSIONS, words.shape[1] - 1, len(texts) - 1)
    if dimensions < 1:
        return np.zeros((len(texts), 1))
    with np.errstate(divide="ignore", invalid="ignore"):  # its share of no variance
        reduced = TruncatedSVD(dimensions, random_state=_SEED).fit_transform(words)
    vectors: npt.NDArray[np.float64] = normalize(reduced)
    return vectors


def _vectoriser(**options: object) -> TfidfVectorizer:
    return TfidfVectorizer(
        stop_words=_STOP, token_pattern=_WORD, min_df=_LEAST_TEXTS, **options
    )
