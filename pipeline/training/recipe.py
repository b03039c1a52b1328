"""The stages of a training, one after another; what is done is not done again.

Below the output folder: `teachers/SEED/`, `soft-labels/`, `student/` and `model/`; the
last is what a tagger reads.
"""

from pathlib import Path

from pipeline.errors import InputError
from pipeline.training.corpora import Chat, read_chats, read_sets
from pipeline.training.export import export
from pipeline.training.files import told, write_whole
from pipeline.training.finetune import Training, be_deterministic
from pipeline.training.held_out import (
    SetFigures,
    figures_of,
    read_figures,
    read_held_out,
    to_scales,
    write_figures,
)
from pipeline.training.material import draw_chats, gather
from pipeline.training.model_card import to_card
from pipeline.training.network import WEIGHTS
from pipeline.training.options import Options, Stage, keep
from pipeline.training.soft_labels import complete, read_soft_labels, take_given
from pipeline.training.student import train_student
from pipeline.training.teacher import score_texts, train_teacher


class Recipe:
    """A training in a folder.

    Args:
        options: what it depends on.
        output: the folder.
        shown: draw bars on the terminal.

    Raises:
        InputError: the data cannot be read, or the options are not an earlier run's.
    """

    def __init__(self, options: Options, output: Path, *, shown: bool) -> None:
        self._options, self._output, self._shown = options, output, shown
        keep(options, output)
        be_deterministic()
        sets = read_sets(options.data, options.without)
        self._material = gather(sets, options.subset, options.seed)
        chats = read_chats(options.data, options.without)
        self._chats = draw_chats(chats, options.subset, options.seed)

    def run(self, stage: Stage) -> list[SetFigures]:
        """Run a stage, or all; the figures, once there are any.

        Raises:
            InputError: an earlier stage is missing, or there is no room.
        """
        stages = {
            "teachers": self._teach,
            "soft-labels": self._score,
            "student": self._learn,
            "export": self._export,
        }
        for name, work in stages.items():
            if stage in (name, "all"):
                work()
        return read_figures(self._output / "model")

    def _teach(self) -> None:
        if self._options.soft_labels is None:
            base = self._options.teacher_base or self._options.base
            for seed, folder in self._teachers():
                training = Training(f"teacher {seed}", base, folder, seed, self._shown)
                train_teacher(self._material, training)

    def _score(self) -> None:
        folder = self._output / "soft-labels"
        if complete(folder):
            return
        if self._options.soft_labels is not None:
            take_given(self._options.soft_labels, folder)
            return
        teachers = [teacher for _, teacher in self._teachers()]
        for teacher in teachers:
            _need(teacher, "teachers")
        names, texts = self._everything()
        score_texts(teachers, names, texts, folder, shown=self._shown)

    def _learn(self) -> None:
        base, folder = self._options.base, self._output / "student"
        training = Training("student", base, folder, self._options.seed, self._shown)
        soft = read_soft_labels(self._output / "soft-labels")
        train_student(self._material, self._chats, soft, training)

    def _export(self) -> None:
        student, model = self._output / "student", self._output / "model"
        _need(student, "student")
        if (model / "README.md").is_file():
            return
        with told(model):
            export(student, model)
        read = read_held_out(self._material.sets, model)
        write_whole(model / "emotions.toml", to_scales(read, model).encode())
        figures = figures_of(read, model)
        write_figures(figures, model)
        card = to_card(self._options, self._material, self._chats, figures)
        write_whole(model / "README.md", card.encode())

    def _teachers(self) -> list[tuple[int, Path]]:
        first = self._options.seed
        seeds = range(first, first + self._options.teachers)
        return [(seed, self._output / "teachers" / str(seed)) for seed in seeds]

    def _everything(self) -> tuple[list[str], list[str]]:
        chats: list[Chat] = self._chats
        return (
            self._material.names + [chat.id for chat in chats],
            self._material.texts + [chat.text for chat in chats],
        )


def _need(folder: Path, stage: Stage) -> None:
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder} holds no trained weights: run --stage {stage}")
