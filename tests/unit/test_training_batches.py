from pathlib import Path

import numpy as np
import pytest
from tiny_training import write_tokenizer

from pipeline.training.batches import (
    TOKENS,
    WINDOW,
    Tokens,
    by_chance,
    in_order,
    load_tokenizer,
    tokenise,
)

RANDOM = np.random.default_rng(0)
LENGTHS = RANDOM.integers(3, WINDOW + 1, 5_000)


def test_batches_hold_every_text_once_and_no_more_tokens_than_allowed() -> None:
    batches = by_chance(LENGTHS, np.arange(5_000), np.random.default_rng(1))
    assert sorted(np.concatenate(batches)) == list(range(5_000))
    sizes = [len(batch) * LENGTHS[batch].max() for batch in batches]
    assert max(sizes) <= TOKENS
    assert LENGTHS.sum() / sum(sizes) > 0.85  # little is padding


def test_a_text_that_stands_twice_among_the_rows_is_shown_twice() -> None:
    rows = np.array([7, 7, 3])
    assert sorted(np.concatenate(list(in_order(LENGTHS, rows)))) == [3, 7, 7]
    assert list(in_order(LENGTHS, np.array([], dtype=np.int64))) == []


def test_the_same_chance_gives_the_same_batches() -> None:
    first, again, other = (
        by_chance(LENGTHS, np.arange(5_000), np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert first[0][:20].tolist() != other[0][:20].tolist()


def test_a_batch_is_padded_with_what_the_mask_leaves_out() -> None:
    tokens = Tokens(np.arange(1, 7, dtype=np.int32), np.array([0, 2, 2, 6]))
    ids, mask = tokens.batch(np.array([2, 0]))
    assert ids.tolist() == [[3, 4, 5, 6], [1, 2, 0, 0]]
    assert mask.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


def test_texts_are_framed_and_cut_at_the_window(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    tokens = tokenise(load_tokenizer(tmp_path), ["", "wow", "wow " * 500])
    assert tokens.lengths.tolist() == [2, 3, WINDOW]
    assert tokenise(load_tokenizer(tmp_path), []).lengths.tolist() == []


@pytest.mark.parametrize("length", [1, WINDOW])
def test_texts_of_one_length_fill_batches(length: int) -> None:
    lengths = np.full(10_000, length)
    batches = list(in_order(lengths, np.arange(10_000)))
    assert {len(batch) for batch in batches[:-1]} == {TOKENS // length}
