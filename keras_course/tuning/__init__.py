"""Searches for hyper-parameters with Keras Tuner that survive, reproduce and explain themselves."""

from keras_course.tuning.result import SearchResult, Trial
from keras_course.tuning.space import Space

__all__ = ["SearchResult", "Space", "Trial"]
