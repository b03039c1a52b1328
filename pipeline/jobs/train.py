"""`groundswell train`: labelled texts in, the encoder that the tagger reads out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputError
from pipeline.jobs.lock import exclusive
from pipeline.training.options import Options, Stage, check

if TYPE_CHECKING:
    from pipeline.training.held_out import SetFigures


def train(
    output: Path, stage: Stage, *, show_progress: bool, **options: Any
) -> list["SetFigures"]:
    """Run a stage of the training in `output`, or all.

    Args:
        output: where all stages write.
        stage: see `pipeline.training.options.Stage`.
        show_progress: draw bars on the terminal.
        options: see `pipeline.training.options.Options`.

    Returns:
        How good the model is, once it is exported.

    Raises:
        InputError: packages, data or weights are missing, or there is no room.
        BusyError: another process trains there.
    """
    given = Options(**options)
    check(given)
    try:
        from pipeline.training.recipe import Recipe  # noqa: PLC0415 - optional
    except ModuleNotFoundError as error:
        raise InputError(
            f"training needs the package {error.name}: run pip install "
            "'groundswell[train]'"
        ) from error
    with exclusive(output / "train.lock", "train", grace_s=1.0):
        return Recipe(given, output, shown=show_progress).run(stage)


def render(figures: list["SetFigures"]) -> str:
    """The figures as a person reads them, one task a line."""
    header = f"{'':48} texts  micro  macro    ECE"
    rows = [
        f"{f'{each.set}: {each.task}, {each.labels}':48} {each.texts:5} "
        f"{each.micro_f1:6.3f} {each.macro_f1:6.3f} {each.calibration_error:6.3f}"
        for each in figures
    ]
    return "\n".join([header, *rows])
