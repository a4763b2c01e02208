"""What holds for every layer of the course, on every backend that is installed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from keras_course import layers
from tests.layers.cases import CASES, numbers, outputs, randomise
from tests.layers.check_layer import check_layer

import keras
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", CASES)
def test_layer_keeps_the_contract(name, tmp_path):
    check_layer(CASES[name], tmp_path)


def test_every_public_layer_has_a_case():
    cells = {name for name in layers.__all__ if name.endswith("Cell")}  # not called alone: see test_recurrent
    assert {type(case.make()).__name__ for case in CASES.values()} == set(layers.__all__) - cells


@pytest.fixture(scope="module")
def weights():
    found = {}
    for name, case in CASES.items():
        layer = case.make()
        layer.build(*case.shape_arguments())
        randomise(layer)
        found |= {f"{name}/{i}": keras.ops.convert_to_numpy(w) for i, w in enumerate(numbers(layer))}
    return found


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_agree(backend, weights, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    np.savez(tmp_path / "weights.npz", **weights)
    files = [str(tmp_path / "weights.npz"), str(tmp_path / "outputs.npz")]
    hasty = "--xla_backend_optimization_level=0"  # each operation is compiled for one run
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": hasty}
    command = [sys.executable, "-m", "tests.layers.cases", *files]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[-1] == backend
    theirs = np.load(files[1])
    for name, ours in outputs(weights).items():
        np.testing.assert_allclose(theirs[name], ours, rtol=1e-5, atol=1e-5, err_msg=name)
