"""Data sets, their splits, and the pipelines that feed them to a network.

`data.load("mnist")`, `data.Batches(*splits.train, batch_size=128)`. A name below brings in its module, and with it
NumPy or TensorFlow, when it is first used: the command line answers for data sets without waiting for either.
"""

from keras_course.base import on_demand

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
__getattr__, __dir__ = on_demand(__name__, _HOME)
