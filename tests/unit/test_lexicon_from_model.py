import numpy as np
import pytest
from tiny_training import FEELINGS, write_base

from pipeline.tagging.heads import Heads
from pipeline.training.batches import load_tokenizer
from pipeline.training.corpora import Output

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from pipeline.training.lexicon_from_model import (  # noqa: E402 - only where torch is
    Explainer,
    is_known,
    rank,
    to_tsv,
)
from pipeline.training.network import load_network  # noqa: E402

ANGER = ("basic-emotion", "anger")


@pytest.fixture(scope="module")
def explainer(tmp_path_factory: pytest.TempPathFactory) -> Explainer:
    base = write_base(tmp_path_factory.mktemp("base"))
    encoder = load_network(base, [Output(*ANGER)]).encoder.eval()
    return Explainer(encoder, load_tokenizer(base), steps=50)


def test_what_the_tokens_add_is_what_the_text_says_above_padding(
    explainer: Explainer,
) -> None:
    weight = torch.linspace(-1, 1, 32)
    ids = [2, 7, 9, 11, 3]
    with torch.no_grad():
        said, nothing = (
            float(explainer._encoder(torch.tensor([one]))[0].mean(dim=1) @ weight)
            for one in (ids, [0] * len(ids))
        )
    added = float(explainer.tokens(ids, weight).sum())
    assert added == pytest.approx(said - nothing, abs=0.02)


def test_words_come_whole_and_in_order(explainer: Explainer) -> None:
    words = explainer.words("The Parser, the list", torch.ones(32))
    assert [word for word, _ in words] == ["the", "parser", ",", "the", "list"]


def test_what_adds_most_comes_first_and_single_texts_prove_nothing(
    explainer: Explainer,
) -> None:
    scalars = np.zeros((4, 1))
    weight = np.linspace(-1, 1, 32, dtype=np.float32)[np.newaxis]
    heads = Heads([ANGER], weight, *scalars)
    texts = [(ANGER, FEELINGS["anger"]), (ANGER, "awful angry list")]
    ranked = rank(explainer, heads, texts)
    assert {one.word for one in ranked} <= {"awful", "angry"}
    assert all(one.texts == 2 and one.mean > 0 for one in ranked)
    assert [one.mean for one in ranked] == sorted(
        (o.mean for o in ranked), reverse=True
    )
    assert to_tsv(ranked).splitlines()[0].split("\t")[2:] == [
        "word",
        "texts",
        "adds",
        "known",
    ]


def test_a_word_that_the_lists_have_is_known() -> None:
    assert is_known(ANGER, "furious")
    assert not is_known(ANGER, "parser")
