"""Why a network does not train: what is measured, what it means, and what to do about it.

    with diagnostics.watch("logs/mine") as seen:      # any training: fit, a tape, the course's own loop
        train()
    print(seen)

`keras-course diagnose script.py` does the same to a script as it stands.
"""

from keras_course.base import on_demand

_HOME = {
    "watch": "watcher",
    "Watch": "watcher",
    "DiagnosticsCallback": "watcher",
    "probe_data": "data",
    "diagnose": "script",
}
__getattr__, __dir__ = on_demand(__name__, _HOME)
