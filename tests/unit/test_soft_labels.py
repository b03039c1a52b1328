import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.training.corpora import Output
from pipeline.training.soft_labels import (
    SoftLabelFile,
    read_soft_labels,
    take_given,
)

OUTPUTS = [Output("t", "a"), Output("t", "b"), Output("u", "c")]
NAMES = ["x-1", "x-2", "y-1", "y-2"]
SCORES = np.array([[0, 10, 255], [1, 2, 3], [50, 60, 70], [9, 9, 9]], np.uint8)


def test_what_is_written_is_read_again_and_knows_how_far_it_is(tmp_path: Path) -> None:
    file = SoftLabelFile(tmp_path, OUTPUTS, NAMES)
    file.write(0, SCORES[:2] / np.float32(255))
    assert file.done == 2
    again = SoftLabelFile(tmp_path, OUTPUTS, NAMES)
    assert again.done == 2
    again.write(2, SCORES[2:] / np.float32(255))
    soft = read_soft_labels(tmp_path)
    assert (soft.outputs, soft.names) == (OUTPUTS, NAMES)
    assert soft.scores.tolist() == SCORES.tolist()
    assert isinstance(soft.scores, np.memmap)


def test_half_written_soft_labels_teach_nobody(tmp_path: Path) -> None:
    SoftLabelFile(tmp_path, OUTPUTS, NAMES).write(0, SCORES[:2] / np.float32(255))
    with pytest.raises(InputError, match=r"not hold all .* --stage soft-labels"):
        read_soft_labels(tmp_path)
    with pytest.raises(InputError, match="--stage soft-labels"):
        read_soft_labels(tmp_path / "nowhere")


def given(folder: Path, scores: bytes) -> Path:
    (folder / "encoder").mkdir(parents=True)
    heads = [output._asdict() for output in OUTPUTS]
    (folder / "encoder" / "heads.json").write_text(json.dumps(heads))
    (folder / "soft_labels.u8.xz").write_bytes(lzma.compress(scores))
    names = "\n".join(NAMES) + "\n"
    (folder / "soft_label_ids.txt.xz").write_bytes(lzma.compress(names.encode()))
    return folder


def test_ready_soft_labels_are_outputs_by_texts_and_turned(tmp_path: Path) -> None:
    take_given(given(tmp_path / "given", SCORES.T.tobytes()), tmp_path / "own")
    soft = read_soft_labels(tmp_path / "own")
    assert soft.scores.tolist() == SCORES.tolist()
    assert soft.names == NAMES


def test_ready_soft_labels_that_lack_something_are_refused(tmp_path: Path) -> None:
    folder = given(tmp_path / "given", SCORES.T.tobytes()[:-1])
    with pytest.raises(InputError, match="too short for 3 outputs of 4 texts"):
        take_given(folder, tmp_path / "own")
    (folder / "encoder" / "heads.json").unlink()
    with pytest.raises(InputError, match=r"does not hold heads\.json"):
        take_given(folder, tmp_path / "own")
    (folder / "soft_labels.u8.xz").write_bytes(b"no xz")
    heads = [output._asdict() for output in OUTPUTS]
    (folder / "heads.json").write_text(json.dumps(heads))
    with pytest.raises(InputError, match="cannot be read"):
        take_given(folder, tmp_path / "own")
