"""The tab "Diagnosis" of TensorBoard, installed by the package's entry point `tensorboard_plugins`.

TensorBoard imports this module when it starts, and an exception here would keep it from starting: so nothing is
imported before `load`, where TensorBoard drops a plugin that fails and goes on.
"""

from typing import Any

from tensorboard.plugins import base_plugin


class Loader(base_plugin.TBLoader):
    """What the entry point names."""

    def load(self, context: base_plugin.TBContext) -> Any:
        from keras_course.diagnostics.plugin.app import Plugin

        return Plugin(context)
