"""An encoder with linear heads on the mean of its tokens' states."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from pipeline.errors import InputError
from pipeline.training.batches import Tokens, in_order
from pipeline.training.corpora import Output
from pipeline.training.files import copy_whole, write_whole

Floats = npt.NDArray[np.float32]

WEIGHTS, HEADS, NAMES = "model.safetensors", "heads.safetensors", "heads.json"
_SPREAD = 0.02
"""Of the heads' first weights, as BERT's own."""


class Shape(NamedTuple):
    """What config.json says of an encoder."""

    layers: int
    width: int


class Network(nn.Module):
    """Says of each text one number an output.

    Args:
        encoder: a transformers model whose first output is the tokens' states.
        outputs: how many.
    """

    def __init__(self, encoder: nn.Module, outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.Linear(int(encoder.config.hidden_size), outputs)  # type: ignore[arg-type,union-attr]
        nn.init.normal_(self.heads.weight, std=_SPREAD)
        nn.init.zeros_(self.heads.bias)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits, texts x outputs, of token ids, texts x tokens."""
        states = self.encoder(input_ids=ids, attention_mask=mask)[0].float()
        kept = mask.unsqueeze(-1).float()
        pooled = (states * kept).sum(dim=1) / kept.sum(dim=1)
        logits: Tensor = self.heads(pooled)
        return logits


def load_network(folder: Path, outputs: list[Output]) -> Network:
    """The network in a folder, with the heads for some outputs that it has already.

    Heads that it lacks begin at random, drawn from torch's generator.

    Args:
        folder: holds model.safetensors and config.json of a transformers BertModel or
            MPNetModel, and perhaps heads.safetensors and heads.json.
        outputs: what the heads are to say.

    Raises:
        InputError: transformers cannot read them.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        encoder = AutoModel.from_pretrained(
            folder, config=config, local_files_only=True, add_pooling_layer=False
        )
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{folder} holds no weights of a BERT or MPNet that transformers can "
            f"read ({error}): name another folder"
        ) from error
    network = Network(encoder.float(), len(outputs))
    if (folder / HEADS).is_file():
        _take_heads(network, folder, outputs)
    return network


def shape_of(folder: Path) -> Shape:
    """How large the encoder in a folder is."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return Shape(config["num_hidden_layers"], config["hidden_size"])


def outputs_of(folder: Path) -> list[Output]:
    """What the heads of a trained network say."""
    heads = json.loads((folder / NAMES).read_text(encoding="utf-8"))
    return [Output(head["task"], head["label"]) for head in heads]


def save_network(
    network: Network, outputs: list[Output], folder: Path, base: Path
) -> None:
    """Write a network so that `load_network` and `export` can read it.

    Args:
        network: to write.
        outputs: what its heads say.
        folder: to write into.
        base: whose shape and tokenizer it has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json"):
        copy_whole(base / name, folder / name)
    heads = [output._asdict() for output in outputs]
    write_whole(folder / NAMES, json.dumps(heads, indent=1).encode() + b"\n")
    for name, module in ((HEADS, network.heads), (WEIGHTS, network.encoder)):
        tensors = {key: t.cpu().contiguous() for key, t in module.state_dict().items()}
        write_whole(folder / name, save(tensors))


@torch.inference_mode()
def read_texts(network: Network, tokens: Tokens) -> Floats:
    """Logits, texts x outputs."""
    network.eval()
    device, texts = network.heads.weight.device, len(tokens.lengths)
    said = np.zeros((texts, network.heads.out_features), np.float32)
    for batch in in_order(tokens.lengths, np.arange(texts)):
        ids, mask = (torch.from_numpy(x).to(device) for x in tokens.batch(batch))
        with precision(device):
            said[batch] = network(ids, mask).float().cpu().numpy()
    return said


def best_device() -> torch.device:
    """A GPU where torch sees one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def precision(device: torch.device) -> torch.autocast:
    """Half precision on a GPU, single on a CPU."""
    on_gpu = device.type == "cuda"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=on_gpu)


def _take_heads(network: Network, folder: Path, outputs: list[Output]) -> None:
    numbers = {output: number for number, output in enumerate(outputs_of(folder))}
    held = load_file(folder / HEADS)
    with torch.no_grad():
        for row, output in enumerate(outputs):
            if output in numbers:
                network.heads.weight[row] = held["weight"][numbers[output]].float()
                network.heads.bias[row] = held["bias"][numbers[output]].float()
