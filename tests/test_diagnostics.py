import subprocess
import sys

from keras_course import diagnostics

import pytest


def test_every_name_that_is_promised_is_there():
    for name in dir(diagnostics):
        assert callable(getattr(diagnostics, name)), name
    with pytest.raises(AttributeError, match="no attribute 'wach'"):
        diagnostics.wach  # noqa: B018


def test_importing_it_imports_nothing_slow():
    code = "import sys; from keras_course import diagnostics; assert not {'tensorflow', 'keras'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
