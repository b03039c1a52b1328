"""Some layers of a BERT as an ONNX graph, without torch.

The embeddings take `ids`, int32, texts x tokens; layers without them `below`, the
embeddings' states. All give `states`, float32, texts x tokens x width, or twice as wide
where two encoders stand side by side.
There is no mask: texts go through alone, or with others of as many tokens, which
changes nothing in what they become.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper

from pipeline.tagging.encoder import WINDOW
from pipeline.training.rounding import (
    MIDDLE,
    Range,
    half_bytes,
    whole_numbers,
)

Array = npt.NDArray[Any]

OPSET = 23
"""The first that has attention. Runs in half the time of Microsoft's."""

_IR = 10
_MICROSOFT = "com.microsoft"
"""Rounding is taken from there, too: onnxruntime 1.23 has none for opset 23."""

_PRODUCT = ".product"
IDS, BELOW, STATES = "ids", "below", "states"

Parts = Literal["embeddings", "layers", "both"]


class Shape(NamedTuple):
    """What config.json says of a BERT."""

    layers: int
    heads: int
    epsilon: float


class _Graph:
    """Nodes and weights in the order they are added, so the file is always the same.

    Products are of bytes where `ranges` say on what scale to round what enters them.
    """

    def __init__(self, epsilon: float, ranges: Mapping[str, Range] | None) -> None:
        self._epsilon, self._ranges = epsilon, ranges
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def weight(self, name: str, value: Array) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **options: Any) -> str:
        self.nodes.append(
            helper.make_node(kind, inputs, [output], name=output, **options)
        )
        return output

    def linear(self, given: str, name: str, weight: Array, bias: Array) -> str:
        added = self.weight(f"{name}.bias", bias)
        if self._ranges is not None:
            rounded = self._rounded(given, name, self._ranges[name])
            return self._of_bytes(rounded, name, weight.T, added)
        matrix = self.weight(f"{name}.weight", weight.T)
        product = self.node("MatMul", [given, matrix], f"{name}{_PRODUCT}")
        return self.node("Add", [product, added], f"{name}.sum")

    def _of_bytes(self, rounded: list[str], name: str, matrix: Array, bias: str) -> str:
        given, step, zero = rounded
        numbers, steps = whole_numbers(matrix)
        weight = self.weight(f"{name}.weight", numbers)
        scale = self.weight(f"{name}.weight.step", steps)
        inputs = [given, weight, step, scale, zero, "", bias]
        return self.node(
            "MatMulIntegerToFloat", inputs, f"{name}.sum", domain=_MICROSOFT
        )

    def _rounded(self, given: str, name: str, scale: Range) -> list[str]:
        """Bytes, and on what scale they are."""
        step = self.weight(f"{name}.step", np.array(scale.step))
        zero = self.weight(f"{name}.zero", np.array(scale.zero))
        inputs = [given, step, zero]
        rounded = self.node(
            "QuantizeLinear", inputs, f"{name}.bytes", domain=_MICROSOFT
        )
        return [rounded, step, zero]

    def looked_up(self, given: str, name: str, table: Array) -> str:
        """Rows of a table, which is of half bytes where products are of bytes."""
        if self._ranges is None:
            return self.node("Gather", [self.weight(f"{name}s", table), given], name)
        halves, steps = half_bytes(table)
        numbers = self._unpacked(given, name, halves)
        blocks = np.array([0, 0, steps.shape[1], -1])
        by_block = self.shaped(numbers, f"{name}.blocks", blocks)
        step = self.node(
            "Gather", [self.weight(f"{name}.steps", steps), given], f"{name}.step"
        )
        step = self.node("Cast", [step], f"{name}.step.float", to=TensorProto.FLOAT)
        last = self.weight(f"{name}.last", np.array([3]))
        step = self.node("Unsqueeze", [step, last], f"{name}.step.each")
        scaled = self.node("Mul", [by_block, step], f"{name}.scaled")
        return self.shaped(scaled, name, np.array([0, 0, table.shape[1]]))

    def _unpacked(self, given: str, name: str, halves: Array) -> str:
        """Numbers from -8 to 7: first those in the lower halves of a row's bytes."""
        sixteen = self.weight(f"{name}.sixteen", np.array([16], np.uint8))
        rows = self.weight(f"{name}s", halves)
        packed = self.node("Gather", [rows, given], f"{name}.packed")
        upper = self.node("Div", [packed, sixteen], f"{name}.upper")
        above = self.node("Mul", [upper, sixteen], f"{name}.above")
        lower = self.node("Sub", [packed, above], f"{name}.lower")
        both = self.node("Concat", [lower, upper], f"{name}.both", axis=2)
        whole = self.node("Cast", [both], f"{name}.float", to=TensorProto.FLOAT)
        middle = self.weight(f"{name}.middle", np.array(MIDDLE, np.float32))
        return self.node("Sub", [whole, middle], f"{name}.numbers")

    def shaped(self, given: str, name: str, shape: Array) -> str:
        inputs = [given, self.weight(f"{name}.shape", shape)]
        return self.node("Reshape", inputs, name)

    def attention(self, given: str, name: str, heads: int) -> str:
        """What tokens see in each other, of queries, keys and values side by side."""
        parts = [f"{name}.{part}" for part in ("queries", "keys", "values")]
        self.nodes.append(
            helper.make_node(
                "Split", [given], parts, name=f"{name}.split", axis=2, num_outputs=3
            )
        )
        counts = {"q_num_heads": heads, "kv_num_heads": heads}
        return self.node("Attention", parts, f"{name}.seen", **counts)

    def normalised(self, given: str, name: str, scale: Array, bias: Array) -> str:
        inputs = [
            given,
            self.weight(f"{name}.weight", scale),
            self.weight(f"{name}.bias", bias),
        ]
        return self.node("LayerNormalization", inputs, name, epsilon=self._epsilon)


class Stack(NamedTuple):
    """Layers by the names that transformers gives a BertModel's; see `build`."""

    shape: Shape
    weights: Mapping[str, Array]


def build(
    stack: Stack,
    parts: Parts,
    ranges: Mapping[str, Range] | None = None,
    second: Stack | None = None,
) -> ModelProto:
    """The embeddings, the layers, or both.

    Args:
        stack: an encoder without a pooler. With `turn`, a linear map comes before the
            layers.
        parts: those wanted.
        ranges: by the name of a product where the numbers lie that enter it. Products
            are then of bytes; without, all is in single precision.
        second: other layers on the same embeddings, whose states are set beside.
    """
    graph = _Graph(stack.shape.epsilon, ranges)
    embeddings = _single(stack.weights)
    width = len(embeddings["embeddings.LayerNorm.weight"])
    states = BELOW if parts == "layers" else _embedded(graph, embeddings)
    wide = width
    if parts != "embeddings":
        below = states
        states = _stacked(graph, "", stack, below)
        if second is not None:
            other = _stacked(graph, "second.", second, below)
            states = graph.node("Concat", [states, other], "both", axis=2)
            wide += width
    graph.node("Identity", [states], STATES)
    made = helper.make_graph(
        graph.nodes,
        "encoder",
        [_states(BELOW, width) if parts == "layers" else _IDS],
        [_states(STATES, wide)],
        graph.weights,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_MICROSOFT, 1)]
    return helper.make_model(
        made, opset_imports=opsets, ir_version=_IR, producer_name="groundswell"
    )


def _single(weights: Mapping[str, Array]) -> dict[str, Array]:
    return {name: value.astype(np.float32) for name, value in weights.items()}


def _stacked(graph: _Graph, name: str, stack: Stack, below: str) -> str:
    """What all layers make of embeddings."""
    encoder, hidden = _single(stack.weights), below
    if "turn.weight" in encoder:
        turn = encoder["turn.weight"], encoder["turn.bias"]
        hidden = graph.linear(hidden, f"{name}turn", *turn)
    for number in range(stack.shape.layers):
        prefix = f"encoder.layer.{number}."
        layer = {
            key.removeprefix(prefix): value
            for key, value in encoder.items()
            if key.startswith(prefix)
        }
        heads = stack.shape.heads
        hidden = _layer(graph, f"{name}layer{number}", layer, hidden, heads)
    return hidden


def products(model: ModelProto) -> dict[str, str]:
    """What enters each product of a float graph, by the product's name."""
    return {
        node.name.removesuffix(_PRODUCT): node.input[0]
        for node in model.graph.node
        if node.op_type == "MatMul"
    }


_IDS = helper.make_tensor_value_info(IDS, TensorProto.INT32, ["texts", "tokens"])


def _states(name: str, width: int) -> ValueInfoProto:
    size: list[str | int | None] = ["texts", "tokens", width]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, size)


def _embedded(graph: _Graph, weights: Mapping[str, Array]) -> str:
    """Words, places and the one segment, normalised."""
    words = weights["embeddings.word_embeddings.weight"]
    segment = weights["embeddings.token_type_embeddings.weight"][0]
    places = weights["embeddings.position_embeddings.weight"][:WINDOW] + segment
    word = graph.looked_up(IDS, "word", words)
    shape = graph.node("Shape", [IDS], "tokens", start=1, end=2)
    zero = graph.weight("zero", np.zeros(1, np.int64))
    place = graph.node(
        "Slice", [graph.weight("places", places), zero, shape, zero], "place"
    )
    both = graph.node("Add", [word, place], "embedded")
    norm = [weights[f"embeddings.LayerNorm.{key}"] for key in ("weight", "bias")]
    return graph.normalised(both, "embeddings.norm", *norm)


def _layer(
    graph: _Graph, name: str, weights: Mapping[str, Array], hidden: str, heads: int
) -> str:
    parts = [f"attention.self.{part}" for part in ("query", "key", "value")]
    matrix = np.concatenate([weights[f"{part}.weight"] for part in parts])
    bias = np.concatenate([weights[f"{part}.bias"] for part in parts])
    three = graph.linear(hidden, f"{name}.attention", matrix, bias)
    seen = graph.attention(three, f"{name}.attention", heads)

    def linear(given: str, part: str) -> str:
        return graph.linear(
            given, f"{name}.{part}", weights[f"{part}.weight"], weights[f"{part}.bias"]
        )

    def added(given: str, before: str, part: str) -> str:
        total = graph.node("Add", [given, before], f"{name}.{part}.residual")
        norm = [weights[f"{part}.LayerNorm.{key}"] for key in ("weight", "bias")]
        return graph.normalised(total, f"{name}.{part}.norm", *norm)

    attended = added(linear(seen, "attention.output.dense"), hidden, "attention.output")
    wide = graph.node("Gelu", [linear(attended, "intermediate.dense")], f"{name}.gelu")
    return added(linear(wide, "output.dense"), attended, "output")
