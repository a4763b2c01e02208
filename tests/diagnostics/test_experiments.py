from keras_course.diagnostics import experiments
from keras_course.diagnostics.observation import Data, Observation, Optimizer
from tests.diagnostics.trained import crossentropy, loop, mlp, network, watched
from tests.diagnostics.typed import steps

import keras
import numpy as np
import pytest
from keras import layers


def trained(model, rate=0.1, steps=6):
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(lambda: loop(lambda a, b: crossentropy(model, a, b), variables, steps=steps, rate=rate))
    return training


def tried(training, *chosen):
    replay, seen = experiments.replay_of(training), training.observe()
    found = {}
    for experiment in chosen:
        found |= experiment(replay, seen, training)
    replay.close()
    return found


def test_the_rate_of_a_loop_is_read_from_its_steps():
    keras.utils.set_random_seed(0)
    assert experiments.rate_of(trained(mlp(), rate=0.03).observe()) == pytest.approx(0.03, rel=1e-3)


def test_the_rate_of_an_optimizer_and_the_peak_of_its_schedule():
    seen = Observation(name="m", optimizer=Optimizer(rate=0.2), steps=steps([1, 1, 1]))
    assert experiments.rate_of(seen) == 0.2
    seen.optimizer.schedule = np.array([0.0, 0.5, 0.1])
    assert experiments.rate_of(seen) == 0.5
    assert experiments.rate_of(Observation(name="m")) is None


def test_a_rate_too_high_shows_on_copies_and_a_sound_one_too():
    keras.utils.set_random_seed(0)
    high = tried(trained(mlp(), rate=100.0), experiments.rates)
    assert high["rate"] == pytest.approx(100.0, rel=1e-2)
    assert high["probe_worst"] > 1.3 * high["probe_start"]
    assert high["end_hundredth"] < 0.9 * high["end_same"]
    keras.utils.set_random_seed(0)
    sound = tried(trained(mlp(), rate=0.1), experiments.rates, experiments.late_rates)
    assert sound["probe_worst"] < 1.3 * sound["probe_start"]
    assert sound["end_same"] < sound["first_loss"]
    assert sound["late_same"] < sound["late_start"] < sound["first_loss"]


def test_superposition_holds_for_linear_layers_only():
    keras.utils.set_random_seed(0)
    linear = network(layers.Dense(7), layers.Dense(5), layers.Dense(3))
    assert tried(trained(linear), experiments.superposition)["superposition"] < 1e-5
    assert tried(trained(mlp("relu")), experiments.superposition)["superposition"] > 0.03


def test_eight_examples_are_learned_by_heart_and_a_fresh_start_repairs():
    keras.utils.set_random_seed(0)
    model = mlp()
    small = [w * 1e-4 for w in model.get_weights()]
    model.set_weights(small)
    found = tried(trained(model), experiments.reach, experiments.rates, experiments.fresh)
    assert found["few_end"] < 0.2 * found["few_start"]
    assert found["end_fresh"] < found["end_same"], "weights near 0 learn slower than He's"


def test_few_rows_fill_a_batch():
    x, y = np.arange(20).reshape(10, 2), np.arange(10)
    few = experiments.few([x, y], 3)
    assert list(few[1]) == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    np.testing.assert_array_equal(few[0], x[few[1]])
    assert experiments.few([x, y[:5]], 3) is None
    assert experiments.few([x, y], 11) is None


def test_what_cannot_be_run_again_is_left_out(monkeypatch):
    keras.utils.set_random_seed(0)
    training = trained(mlp())
    seen = training.observe()

    def broken(*arguments):
        raise ValueError("a mistake")

    for name in ("rates", "late_rates", "fresh", "reach", "outputs"):
        monkeypatch.setattr(experiments, name, broken)
        broken.__name__ = name
    found = experiments.run(training, seen, harmed=True)
    assert found.keys() == {"superposition"}
    assert len([s for s in seen.unseen if "could not be tried: a mistake" in s]) == 5
    monkeypatch.setattr(experiments, "replay_of", broken)
    assert experiments.run(training, seen, harmed=True) == {}
    assert "could not be run again: ValueError: a mistake" in seen.unseen[-1]
    training.recorder.batches.clear()
    monkeypatch.undo()
    assert experiments.replay_of(training) is None


def test_a_forest_gains_where_classes_bend():
    x = np.random.default_rng(0).normal(size=(300, 2))
    seen = Observation(name="m", train=Data(x=x, y=(x[:, 0] * x[:, 1] > 0).astype(int)))
    seen.loss.name = "binary_crossentropy"
    assert experiments.bent_gain(seen)["bent_gain"] > 0.4
    seen.train.y = (x[:, 0] > 0).astype(int)
    assert experiments.bent_gain(seen)["bent_gain"] < 0.4
    assert experiments.bent_gain(Observation(name="m")) == {}
