from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from shipped_copy import link_shipped
from tiny_training import write_data

from pipeline.tagging.cascade import Cascade, Tier
from pipeline.tagging.encoder import Encoder
from pipeline.training import cascade
from pipeline.training.cascade import (
    RIDGE_WORDS,
    Judged,
    choose,
    levelled,
    outcome,
    ridge_of_shallow,
    ridge_of_words,
    rounded,
    unusual,
)

RANDOM = np.random.default_rng(3)


def test_the_bags_are_fitted_as_by_solving_at_once() -> None:
    counts = RANDOM.random((40, 6))
    places, heed = RANDOM.random((40, 2)), RANDOM.random(40) + 0.5
    heeded = counts.T * heed
    exact = np.linalg.solve(heeded @ counts + RIDGE_WORDS * np.eye(6), heeded @ places)
    found = ridge_of_words(sparse.csr_matrix(counts), places, heed)
    assert found == pytest.approx(exact, abs=1e-6)


def test_inputs_of_any_scale_foretell_what_they_hold() -> None:
    inputs = RANDOM.normal(5.0, 1.0, (2_000, 3)) * [1.0, 100.0, 0.01]
    places = inputs @ np.array([[1.0], [0.02], [-50.0]]) + 7.0
    matrix, bias = ridge_of_shallow(inputs, places, np.ones(2_000))
    assert inputs @ matrix.T + bias == pytest.approx(places, abs=0.2)


def test_a_table_of_bytes_is_off_by_half_a_step() -> None:
    table = RANDOM.normal(0.0, 1.0, (50, 3))
    small, scale = rounded(table)
    assert small.dtype == np.int8
    assert np.abs(small * scale - table).max() <= scale.max() / 2 + 1e-6


def test_errors_are_told_against_the_usual_one() -> None:
    truth, found = np.zeros((4, 2)), np.array([[1.0, 1], [1, 1], [0, 0], [4, 4]])
    told = unusual(truth, found)
    assert told[0] == told[1]
    assert told[2] < told[0] < told[3]
    assert np.exp(2 * (told + levelled(told))).mean() == pytest.approx(1.0)


def judged(name: str, *, wrong: float, labelled: bool) -> Judged:
    """Steps that are wrong of some texts, and unsure of just these."""
    truth = RANDOM.random((1_000, 1)) < 0.5
    missed = RANDOM.random((1_000, 1)) < wrong
    flags = {"whole": truth, "words": truth ^ missed, "shallow": truth ^ missed}
    doubts = np.where(missed[:, 0], 0.5, 0.1)
    both = {"words": doubts, "shallow": doubts}
    return Judged(name, flags, both, truth if labelled else None, [0])


def test_a_tier_stops_where_it_is_right_and_goes_on_where_it_may_be_wrong() -> None:
    sets = [
        judged("labelled", wrong=0.3, labelled=True),
        judged("chats", wrong=0.2, labelled=False),
    ]
    tier = choose(sets, 1.0, 100.0)
    assert 0.1 <= tier.words < 0.5
    assert outcome(sets[0], tier).lost == 0.0
    assert outcome(sets[1], tier).words == pytest.approx(0.8, abs=0.05)
    careless = outcome(sets[0], Tier(1.0, 1.0))
    assert (careless.words, careless.shallow) == (1.0, 0.0)
    assert careless.lost > 20


def test_what_is_fitted_can_be_read_with_and_is_the_same_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, small in (("ROWS", 256), ("STEPS", 3), ("DOUBTS", [0.0, 0.5])):
        monkeypatch.setattr(cascade, name, small)
    data, made = write_data(tmp_path / "data"), []
    for name in ("one", "two"):
        folder = link_shipped(tmp_path / name, {"cascade.npz", "cascade.toml"})
        command = ["cascade", str(data), str(folder), str(tmp_path / "scratch")]
        monkeypatch.setattr("sys.argv", command)
        assert cascade.main() == 0
        made.append((folder / "cascade.npz").read_bytes())
    assert made[0] == made[1]
    assert "balanced  chats" in capsys.readouterr().out

    (folder / "cascade.toml").unlink()
    monkeypatch.setattr("sys.argv", [*command, "--keep-steps"])
    assert cascade.main() == 0
    assert (folder / "cascade.npz").read_bytes() == made[1]
    assert "balanced  chats" in capsys.readouterr().out
    fast = Cascade(Encoder(folder, 1), folder, "fast")
    (found,) = fast.read([("see line 3", "irc")])
    assert len(found.scores) == len(fast.heads("irc").keys)


def test_what_the_encoder_remembers_nobody_loses() -> None:
    remembered = judged("github", wrong=0.3, labelled=True)
    new = remembered._replace(name="goemotions")
    careless = Tier(1.0, 1.0)
    lost = outcome(new, careless)
    assert lost.lost == lost.honest == outcome(remembered, careless).lost
    memory = 100 * (1.0 - cascade.UNSEEN["github"])
    assert outcome(remembered, careless).honest == pytest.approx(lost.lost - memory)
    assert outcome(remembered, Tier(-1.0, -1.0)).honest == 0.0


def test_chats_may_stray_only_so_far() -> None:
    sets = [judged("chats", wrong=0.2, labelled=False)]
    assert outcome(sets[0], choose(sets, 1.0, 100.0)).words == 1.0
    assert outcome(sets[0], choose(sets, 1.0, 0.0)).words < 0.9
