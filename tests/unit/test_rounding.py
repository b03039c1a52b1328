"""Bytes that stand for numbers, against the numbers."""

import numpy as np
from onnx import TensorProto, helper

from pipeline.training.rounding import (
    BLOCK,
    MIDDLE,
    Range,
    half_bytes,
    ranges,
    whole_numbers,
)

NUMBERS = np.random.default_rng(5).normal(0.3, 1.0, 1_000).astype(np.float32)


def test_bytes_are_right_to_half_a_step_and_0_is_exact() -> None:
    where = Range.of(NUMBERS)
    told = (where.bytes_of(NUMBERS).astype(float) - where.zero) * where.step
    assert np.abs(told - NUMBERS).max() <= where.step * 0.51
    assert where.bytes_of(np.zeros(1)) == where.zero


def test_what_lies_outside_becomes_the_nearest_byte() -> None:
    where = Range(-1.0, 3.0)
    assert where.bytes_of(np.array([-9.0, 9.0])).tolist() == [0, 255]


def test_numbers_of_one_sign_have_0_at_the_end() -> None:
    assert Range.of(np.array([2.0, 5.0])) == Range(0.0, 5.0)
    assert Range.of(np.array([2.0, 5.0])).zero == 0
    assert Range.of(np.array([-2.0, -5.0])).zero == 255


def test_each_column_has_its_own_step_and_no_sum_of_two_products_overflows() -> None:
    matrix = np.stack([NUMBERS, 100 * NUMBERS, 0 * NUMBERS], axis=1)
    numbers, steps = whole_numbers(matrix)
    assert (np.abs(numbers * steps - matrix) <= steps * 0.501).all()
    assert 2 * 255 * int(np.abs(numbers).max()) < 2**15
    assert numbers[:, 2].tolist() == [0] * len(NUMBERS)


def test_half_bytes_are_right_to_a_step_of_their_block() -> None:
    table = NUMBERS[: 6 * 2 * BLOCK].reshape(6, 2 * BLOCK).copy()
    table[1] *= 100
    table[2] = 0
    packed, steps = half_bytes(table)
    assert packed.shape == (6, BLOCK)
    assert steps.shape == (6, 2)
    numbers = np.concatenate([packed & 15, packed >> 4], axis=1).astype(float) - MIDDLE
    each = np.repeat(steps.astype(float), BLOCK, axis=1)
    assert (np.abs(numbers * each - table) <= np.abs(each) * 1.01).all()
    assert np.abs(numbers * each - table).mean() < np.abs(each).mean() * 0.3


def test_ranges_hold_what_random_tokens_lead_to_and_the_frame() -> None:
    node = helper.make_node("Cast", ["ids"], ["seen"], to=TensorProto.FLOAT)
    graph = helper.make_graph(
        [node],
        "tiny",
        [helper.make_tensor_value_info("ids", TensorProto.INT32, [1, "tokens"])],
        [],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    found = ranges(model, {"product": "seen"}, 50, [2, 777])
    assert found == {"product": Range(0.0, 777.0)}
    assert not model.graph.output
