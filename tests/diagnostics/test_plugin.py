"""The entry point: TensorBoard finds it, and it is light and cannot keep TensorBoard from starting."""

import subprocess
import sys
from importlib.metadata import entry_points

from tensorboard.plugins import base_plugin


def test_the_entry_point_is_registered():
    (found,) = [point for point in entry_points(group="tensorboard_plugins") if point.name == "keras_course"]
    assert issubclass(found.load(), base_plugin.TBLoader)


def test_loading_gives_the_plugin():
    from keras_course.diagnostics import plugin
    from keras_course.diagnostics.plugin.app import Plugin

    assert isinstance(plugin.Loader().load(base_plugin.TBContext()), Plugin)


def test_neither_import_nor_loading_imports_tensorflow_or_keras():
    code = (
        "import sys; from tensorboard.plugins.base_plugin import TBContext\n"
        "from keras_course.diagnostics.plugin import Loader\n"
        "assert 'keras_course.diagnostics.plugin.app' not in sys.modules, 'the import of the plugin loads the rest'\n"
        "Loader().load(TBContext())\n"
        "assert not {'tensorflow', 'keras', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
