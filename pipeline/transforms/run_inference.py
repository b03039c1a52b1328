"""Beam's RunInference, without the PyTorch that Beam would load beside it.

Beam loads it wherever it is installed, for a manager of models that groundswell does
not use: seconds of every start and 250 MB of every process. Where it cannot, it goes
without; so what is imported of Beam's inference is imported from here, and first here.
"""

import sys

sys.modules["apache_beam.ml.inference.model_manager"] = None  # type: ignore[assignment]

from apache_beam.ml.inference.base import ModelHandler, RunInference  # noqa: E402

__all__ = ["ModelHandler", "RunInference"]
