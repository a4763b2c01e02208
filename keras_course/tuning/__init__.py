"""Searches for hyper-parameters with Keras Tuner that survive, reproduce, explain themselves and spread."""

from keras_course.base import on_demand

_HOME = {
    "SearchResult": "result",
    "Space": "space",
    "Trial": "result",
    "search": "searching",
}
__all__ = list(_HOME)
__getattr__, __dir__ = on_demand(__name__, _HOME)
