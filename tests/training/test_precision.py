from keras_course import models
from keras_course.base import InputError
from keras_course.training import classification, fit, set_precision
from keras_course.training import precision as module

import keras
import numpy as np
import pytest


@pytest.fixture
def able(monkeypatch):
    """A processor that multiplies in bfloat16, whatever this one does: TensorFlow computes it anywhere."""
    monkeypatch.setattr(module, "has_bfloat16", lambda: True)


def policies(model):
    return {layer.name: layer.dtype_policy.name for layer in model._flatten_layers(include_self=False)}


def test_all_but_the_outputs_compute_in_bfloat16_and_weights_stay_float32(able):
    model = models.cnn((8, 6, 1), 3, filters=(2, 3))
    set_precision(model, "mixed_bfloat16")
    found = policies(model)
    assert found["conv_0"] == found["pool_1"] == "mixed_bfloat16"
    assert found["logits"] == "float32"
    assert {str(w.dtype) for w in model.weights} == {"float32"}
    assert model(np.zeros((2, 8, 6, 1))).dtype == "float32"
    set_precision(model, "float32")
    assert set(policies(model).values()) == {"float32"}


def test_layers_made_of_layers_and_models_in_models_are_reached(able):
    for model in (models.densenet((8, 8, 3), 3, layers_per_block=(2, 2), growth_rate=3), models.resnet((8, 8, 3), 3)):
        set_precision(model, "mixed_bfloat16")
        kinds = {type(layer).__name__ for layer in model._flatten_layers() if "bfloat16" in layer.dtype_policy.name}
        assert {"Conv2D", "BatchNormalization"} <= kinds
        assert model.get_layer("logits").dtype_policy.name == "float32"
        assert np.isfinite(model(np.ones((2, 8, 8, 3)))).all()


def test_rounding_is_that_of_eight_bits_and_no_more(able):
    keras.utils.set_random_seed(0)
    model, x = models.cnn((8, 6, 1), 3), np.random.default_rng(0).random((5, 8, 6, 1)).astype("float32")
    exact = np.asarray(model(x))
    set_precision(model, "mixed_bfloat16")
    difference = np.abs(np.asarray(model(x)) - exact).max() / np.abs(exact).max()
    assert 1e-5 < difference < 3e-2


def test_a_network_learns_in_bfloat16(able):
    from keras_course.data import Batches

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 64)
    x = (rng.normal(size=(64, 8, 6, 1)) + y[:, None, None, None]).astype("float32")
    model = models.cnn((8, 6, 1), 2, filters=(4,))
    options = {"optimizer": keras.optimizers.Adam(0.01), "precision": "mixed_bfloat16", "progress": False}
    history = fit(model, classification, Batches(x, y, batch_size=16), epochs=12, **options)
    assert policies(model)["conv_0"] == "mixed_bfloat16"
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_it_is_refused_where_it_would_only_be_slower(able, monkeypatch):
    with pytest.raises(InputError, match="`precision` must be float32 for a network without convolutions on a CPU"):
        set_precision(models.mlp((4,), 2), "mixed_bfloat16")
    monkeypatch.setattr(module, "has_bfloat16", lambda: False)
    with pytest.raises(InputError, match="`precision` must be float32 on a CPU without AVX512_BF16 or AMX_BF16"):
        set_precision(models.cnn((8, 6, 1), 3), "mixed_bfloat16")
    with pytest.raises(InputError, match="mixed_bfloat16"):
        set_precision(models.cnn((8, 6, 1), 3), "mixed_bfloat")


def test_what_the_processor_has_is_read_from_its_description(tmp_path):
    description = tmp_path / "cpuinfo"
    for flags, expected in (("fpu avx512_bf16 amx_tile", True), ("fpu avx2", False), ("x_avx512_bf16_y", False)):
        description.write_text(f"flags : {flags}\n")
        assert module.has_bfloat16(description) is expected
    assert not module.has_bfloat16(tmp_path / "none")
