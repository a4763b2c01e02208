"""Data sets, their splits, and the pipelines that feed them to a network.

`data.load("mnist")`, `data.Batches(*splits.train, batch_size=128)`. A name below brings in its module, and with it
NumPy or TensorFlow, when it is first used: the command line answers for data sets without waiting for either.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "DATASETS": "catalogue",
    "is_here": "catalogue",
    "load": "loading",
    "fetch": "fetching",
    "Split": "splits",
    "Splits": "splits",
    "split": "splits",
    "Batches": "pipeline",
    "shuffle_batch_repeat": "pipeline",
    "CropAndFlip": "augment",
    "Windows": "windows",
    "split_series": "windows",
    "Sequences": "sequences",
    "Vocabulary": "text",
    "reviews": "made",
    "load_curve": "made",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
