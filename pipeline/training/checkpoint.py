"""A training as it stands, so that a killed one goes on as if nothing had happened."""

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from pipeline.training.files import write_whole

_MEAN, _SQUARE = "exp_avg", "exp_avg_sq"


class Checkpoint:
    """Weights and AdamW's memory of them, in one file.

    Args:
        path: of the file.
        network: that is trained.
        optimiser: that trains it.
    """

    def __init__(
        self, path: Path, network: nn.Module, optimiser: torch.optim.AdamW
    ) -> None:
        self._path, self._network, self._optimiser = path, network, optimiser

    def save(self, steps: int) -> None:
        """Write all down after so many steps."""
        tensors: dict[str, Tensor] = {}
        for name, weight in self._network.named_parameters():
            tensors[name] = weight.detach().cpu().contiguous()
            for part in (_MEAN, _SQUARE):
                tensors[f"{part} {name}"] = self._optimiser.state[weight][part].cpu()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, save(tensors, {"steps": str(steps)}))

    def load(self) -> int:
        """Take up the training where it was saved; the steps done, 0 if none."""
        if not self._path.is_file():
            return 0
        with safe_open(self._path, framework="pt") as held, torch.no_grad():
            steps = int(held.metadata()["steps"])
            for name, weight in self._network.named_parameters():
                weight.copy_(held.get_tensor(name))
                state = {
                    part: held.get_tensor(f"{part} {name}").to(weight.device)
                    for part in (_MEAN, _SQUARE)
                }
                # A copy each: AdamW counts in place.
                state["step"] = torch.tensor(float(steps))
                self._optimiser.state[weight] = state
        return steps

    def remove(self) -> None:
        """The training is done, and its outcome written down."""
        self._path.unlink(missing_ok=True)
