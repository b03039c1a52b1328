"""Some layers of a BERT as an ONNX graph, without torch.

Those from the first on take `ids`, int32, texts x tokens; later ones `below`, the
states that the layer below gave. All give `states`, float32, texts x tokens x width.
There is no mask: texts go through alone, or with others of as many tokens.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper

Array = npt.NDArray[Any]

OPSET = 17
_IR = 9
_MICROSOFT = "com.microsoft"
IDS, BELOW, STATES = "ids", "below", "states"


class Shape(NamedTuple):
    """What config.json says of a BERT."""

    layers: int
    heads: int
    epsilon: float


class _Graph:
    """Nodes and weights in the order they are added, so the file is always the same."""

    def __init__(self, epsilon: float) -> None:
        self._epsilon = epsilon
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
        matrix = self.weight(f"{name}.weight", weight.T)
        product = self.node("MatMul", [given, matrix], f"{name}.product")
        return self.node(
            "Add", [product, self.weight(f"{name}.bias", bias)], f"{name}.sum"
        )

    def normalised(self, given: str, name: str, scale: Array, bias: Array) -> str:
        inputs = [
            given,
            self.weight(f"{name}.weight", scale),
            self.weight(f"{name}.bias", bias),
        ]
        return self.node("LayerNormalization", inputs, name, epsilon=self._epsilon)


def build(shape: Shape, weights: Mapping[str, Array], layers: range) -> ModelProto:
    """Some layers, in single precision; the embeddings with the first.

    Args:
        shape: of the encoder.
        weights: by the names that transformers gives a BertModel's; no pooler.
        layers: those wanted, one after another.
    """
    graph = _Graph(shape.epsilon)
    encoder = {name: value.astype(np.float32) for name, value in weights.items()}
    hidden = BELOW if layers.start else _embedded(graph, encoder)
    for number in layers:
        prefix = f"encoder.layer.{number}."
        layer = {
            name.removeprefix(prefix): value
            for name, value in encoder.items()
            if name.startswith(prefix)
        }
        hidden = _layer(graph, f"layer{number}", layer, hidden, shape.heads)
    graph.node("Identity", [hidden], STATES)
    width = len(encoder["embeddings.LayerNorm.weight"])
    made = helper.make_graph(
        graph.nodes,
        "encoder",
        [_states(BELOW, width) if layers.start else _IDS],
        [_states(STATES, width)],
        graph.weights,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_MICROSOFT, 1)]
    return helper.make_model(
        made, opset_imports=opsets, ir_version=_IR, producer_name="groundswell"
    )


_IDS = helper.make_tensor_value_info(IDS, TensorProto.INT32, ["texts", "tokens"])


def _states(name: str, width: int) -> ValueInfoProto:
    size: list[str | int | None] = ["texts", "tokens", width]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, size)


def _embedded(graph: _Graph, weights: Mapping[str, Array]) -> str:
    """Words, places and the one segment, normalised."""
    words = weights["embeddings.word_embeddings.weight"]
    segment = weights["embeddings.token_type_embeddings.weight"][0]
    places = weights["embeddings.position_embeddings.weight"] + segment
    table = graph.weight("words", words)
    word = graph.node("Gather", [table, IDS], "word")
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
    matrix = np.concatenate([weights[f"{part}.weight"] for part in parts]).T
    bias = np.concatenate([weights[f"{part}.bias"] for part in parts])
    seen = graph.node(
        "Attention",
        [
            hidden,
            graph.weight(f"{name}.attention.weight", matrix),
            graph.weight(f"{name}.attention.bias", bias),
        ],
        f"{name}.attention",
        domain=_MICROSOFT,
        num_heads=heads,
    )

    def linear(given: str, part: str) -> str:
        return graph.linear(
            given, f"{name}.{part}", weights[f"{part}.weight"], weights[f"{part}.bias"]
        )

    def added(given: str, before: str, part: str) -> str:
        total = graph.node("Add", [given, before], f"{name}.{part}.residual")
        norm = [weights[f"{part}.LayerNorm.{key}"] for key in ("weight", "bias")]
        return graph.normalised(total, f"{name}.{part}.norm", *norm)

    attended = added(linear(seen, "attention.output.dense"), hidden, "attention.output")
    wide = graph.node(
        "Gelu",
        [linear(attended, "intermediate.dense")],
        f"{name}.gelu",
        domain=_MICROSOFT,
    )
    return added(linear(wide, "output.dense"), attended, "output")
