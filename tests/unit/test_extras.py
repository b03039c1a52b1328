"""Models that come with extras."""

import sys

import pytest

from pipeline.errors import InputError
from pipeline.forecast.models import all_models
from pipeline.forecast.scale import Linear


@pytest.mark.parametrize(
    ("name", "package", "extra"), [("gru", "torch", "deep"), ("prophet",) * 3]
)
def test_asked_for_and_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"{package}.*'groundswell\[{extra}\]'"):
        all_models(Linear(1.0), also=[name])


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(InputError, match="called lstm: ask for gru or prophet"):
        all_models(Linear(1.0), also=["lstm"])
