"""One training loop for every objective, its checkpoints and its display."""

from keras_course.training.checkpoints import Checkpoint
from keras_course.training.evaluation import evaluate, predict
from keras_course.training.history import History
from keras_course.training.loop import fit
from keras_course.training.objectives import classification, negative_elbo
from keras_course.training.precision import set_precision
from keras_course.training.session import Diverged, Log
from keras_course.training.stopping import EarlyStopping

__all__ = [
    "Checkpoint",
    "Diverged",
    "EarlyStopping",
    "History",
    "Log",
    "classification",
    "evaluate",
    "fit",
    "negative_elbo",
    "predict",
    "set_precision",
]
