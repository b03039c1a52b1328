"""What words say by themselves: judged, pointed at, learned and kept."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tagging.encoder import SHIPPED, shipped_encoder
from pipeline.tagging.hashed_words import MOST_WORDS, hashed
from pipeline.tagging.heads import load_outputs
from pipeline.tagging.word_heads import FILE, WordHeads

CRASH, THANKS = 0, 1


def heads() -> WordHeads:
    """Know the words and pairs of two sentences; the first label is of the first."""
    crash, thanks = hashed("it crashes again").hashes, hashed("thanks again").hashes
    keys = np.unique(np.concatenate([crash, thanks])).astype(np.uint32)
    weight = np.zeros((len(keys), 2), np.int8)
    weight[np.searchsorted(keys, crash), CRASH] = 40
    weight[np.searchsorted(keys, thanks), THANKS] = 30
    rarity = np.linspace(1, 3, len(keys)).astype(np.float32)
    half = np.full(2, 0.5, np.float32)
    return WordHeads(keys, rarity, weight, half, np.array([-1, -2], np.float32))


def test_words_speak_for_the_labels_of_texts_they_were_in() -> None:
    said = heads().read("It CRASHES again").logits
    assert said[CRASH] > 0 > heads().read("thanks").logits[CRASH]
    assert heads().read("thanks").logits[THANKS] > said[THANKS]


@pytest.mark.parametrize("text", ["", "   ", "nobody knows these", "日本", "\ud800"])
def test_of_unknown_words_the_bias_alone_is_said(text: str) -> None:
    assert heads().read(text).logits.tolist() == [-1, -2]


@given(
    st.lists(
        st.sampled_from(["it", "crashes", "again", "thanks", "or", "not", "!", "�"])
    )
)
def test_what_the_words_add_is_the_logit(words: list[str]) -> None:
    known = heads()
    said = known.read(" ".join(words))
    added = known.by_word(said)
    assert added.shape == (min(len(words), MOST_WORDS), 2)
    assert added.sum(axis=0) == pytest.approx(said.logits - [-1, -2], abs=1e-4)


@given(
    st.lists(st.sampled_from(["it", "crashes", "again", "thanks"]), min_size=1),
    st.lists(st.integers(1, 9), min_size=1),
)
def test_however_a_text_is_cut_its_tokens_share_all_of_it(
    words: list[str], sizes: list[int]
) -> None:
    text = " ".join(words)
    starts = np.array([0, *np.cumsum(sizes)])
    starts = starts[starts < len(text)]
    said = heads().read(text)
    added = said.by_token(starts)
    assert added.shape == (len(starts), 2)
    assert added.sum(axis=0) == pytest.approx(said.logits - [-1, -2], abs=1e-4)


def test_a_words_share_falls_on_its_own_tokens() -> None:
    text = "well thanks a lot"
    added = heads().read(text).by_token(np.array([0, 5, 8, 12, 14]))
    assert added[:, THANKS].tolist() == [0, added[1, THANKS], added[1, THANKS], 0, 0]
    assert added[1, THANKS] > 0
    assert not added[:, CRASH].any()


def test_who_repeats_a_word_says_hardly_more() -> None:
    once = heads().read("thanks").logits[THANKS]
    assert heads().read("thanks thanks thanks").logits[THANKS] == pytest.approx(once)


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    long = "or " * MOST_WORDS + "thanks"
    assert heads().read(long).logits.tolist() == [-1, -2]


def test_they_say_the_same_read_from_a_file(tmp_path: Path) -> None:
    heads().save(tmp_path / FILE)
    again = WordHeads.load(tmp_path / FILE)
    assert again.labels == 2
    for text in ("it crashes again", "thanks again", ""):
        expected = heads().read(text).logits
        assert again.read(text).logits == pytest.approx(expected, abs=0.01)


def test_where_there_is_no_file_no_label_is_judged(tmp_path: Path) -> None:
    none = WordHeads.load(tmp_path / FILE)
    said = none.read("it crashes again")
    assert (none.labels, said.logits.size) == (0, 0)
    assert none.by_word(said).shape == (3, 0)
    assert said.by_token(np.array([0, 3])).shape == (2, 0)


def test_a_text_is_the_same_whether_its_words_are_known_or_not_yet() -> None:
    encoder = shipped_encoder(1)
    texts = ["Thanks, it works again!", "why does it crash"]
    said = [encoder.words.read(text) for text in texts]
    for known, unknown in zip(
        encoder.begin(texts, said), encoder.begin(texts), strict=True
    ):
        assert np.array_equal(known.pooled, unknown.pooled)


def test_the_shipped_words_have_the_say_that_the_heads_give_them() -> None:
    """The last columns are the words', and thanks speak for gratitude."""
    encoder = shipped_encoder(1)
    outputs = load_outputs(SHIPPED / "emotions.npz")
    read = encoder.read("Thanks!")
    labels = encoder.words.labels
    assert labels > 40
    assert outputs.weight.shape[1] == len(read.pooled) == read.states.shape[1]
    assert np.count_nonzero(outputs.weight[:, -labels:]) == labels
    calm = encoder.read("the third file in the folder")
    gratitude = int(np.flatnonzero(outputs.weight[15, -labels:])[0])
    assert read.pooled[-labels:][gratitude] > 1 > calm.pooled[-labels:][gratitude]
