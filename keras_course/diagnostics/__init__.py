"""Why a network does not train: what is measured, what it means, and what to do about it.

    with diagnostics.watch("logs/mine") as seen:      # any training: fit, a tape, the course's own loop
        train()
    print(seen)

`keras-course diagnose script.py` does the same to a script as it stands.
"""

from typing import Any

LAZY = {
    "watch": "watcher",
    "Watch": "watcher",
    "DiagnosticsCallback": "watcher",
    "probe_data": "data",
    "diagnose": "script",
}


def __getattr__(name: str) -> Any:
    """Imports a part when it is asked for: the rules and the plugin need no TensorFlow."""
    import importlib

    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{LAZY[name]}"), name)
