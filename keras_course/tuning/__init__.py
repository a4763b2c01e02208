"""Searches for hyper-parameters with Keras Tuner that survive, reproduce, explain themselves and spread."""

from importlib import import_module
from typing import Any

_HOME = {
    "SearchResult": "result",
    "Space": "space",
    "Trial": "result",
    "search": "searching",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
