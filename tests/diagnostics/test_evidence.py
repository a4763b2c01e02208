"""Each pattern of evidence on values typed by hand: what shows a cause, and what looks like it and does not."""

from keras_course.diagnostics.causes import CAUSES
from keras_course.diagnostics.evidence import EVIDENCE, shows

import numpy as np
import pytest


def events(**series):
    """Tags with "__" for "/": values at the steps 0, 1, 2, ..."""
    return {tag.replace("__", "/"): (np.arange(len(v)), np.asarray(v, float)) for tag, v in series.items()}


def test_every_cause_with_evidence_is_a_cause():
    assert EVIDENCE.keys() <= CAUSES.keys()


SHOWN = [
    ("dead_units", "dead_share/a", {"dead_share/a": [0.1, 0.6]}, {"dead_share/a": [0.1, 0.4]}),
    ("init_scale", "loss", {"loss": [100, np.nan]}, {"loss": [2.3, 1e9]}),
    ("gradient_sign_flipped", "loss", {"loss": range(1, 20)}, {"loss": [1, 9, 1, 9, 1, 9, 1, 9]}),
    ("nan_or_inf_in_data", "inputs/mean", {"inputs/mean": [0, np.nan]}, {"inputs/mean": [0, 1]}),
    ("learning_rate_too_high", "update_ratio/a", {"update_ratio/a": [0.4, 0]}, {"update_ratio/a": [0.01, 0.02]}),
    ("learning_rate_too_low", "update_ratio/a", {"update_ratio/a": [1e-5] * 3}, {"update_ratio/a": [1e-5, 1e-2, 1e-2]}),
    ("lr_schedule_wrong", "learning_rate", {"learning_rate": 0.5 ** np.arange(40)}, {"learning_rate": [1e-9] * 40}),
    ("lr_schedule_wrong", "update_ratio/a", {"update_ratio/a": 0.5 ** np.arange(40)}, {"update_ratio/a": [1e-9] * 40}),
    ("optimiser_not_applied", "update_ratio/a", {"update_ratio/a": [0, 0, np.nan]}, {"update_ratio/a": [0, 0, 1e-9]}),
    ("frozen_or_disconnected", "weight_norm/a", {"weight_norm/a": [2, 2, 2]}, {"weight_norm/a": [2, 2, 2.01]}),
    ("regularisation_overwhelms", "weight_norm/a", {"weight_norm/a": [9] * 9 + [1]}, {"weight_norm/a": [9] * 9 + [6]}),
    ("loss_broadcast", "outputs/spread_over_inputs", {"outputs/spread_over_inputs": [0.5, 0.01, 0.01]},
     {"outputs/spread_over_inputs": [0.01, 0.5, 0.5]}),
    ("overfitting", "epoch/val_loss", {"epoch/val_loss": [3, 1, 2]}, {"epoch/val_loss": [3, 2, 2]}),
    ("inputs_drowned_in_noise", "inputs/neighbour_correlation", {"inputs/neighbour_correlation": [0.01]},
     {"inputs/neighbour_correlation": [0.8]}),
    ("shuffle_buffer_too_small", "labels/entropy", {"labels/entropy": [0, 0, 0.6]}, {"labels/entropy": [2.2, 2.1]}),
    ("softmax_on_single_unit", "outputs/min", {"outputs/min": [1, 1]}, {"outputs/min": [0.1, 0.9]}),
]  # fmt: skip


@pytest.mark.parametrize(("cause", "tag", "yes", "no"), SHOWN, ids=[case[0] for case in SHOWN])
def test_what_shows_a_cause_and_what_does_not(cause, tag, yes, no):
    assert shows(cause, tag, events(**{k.replace("/", "__"): v for k, v in yes.items()}))
    assert not shows(cause, tag, events(**{k.replace("/", "__"): v for k, v in no.items()}))


def test_a_tag_that_is_missing_or_speaks_of_something_else_shows_nothing():
    seen = events(dead_share__a=[1, 1], loss=[2.3, 2.3])
    assert not shows("dead_units", "dead_share/b", seen)
    assert not shows("dead_units", "loss", seen)


def test_a_gradient_is_small_beside_those_of_the_other_layers():
    seen = events(gradient_norm__first=[1e-7, 1e-7], gradient_norm__last=[0.5, 0.5])
    assert shows("vanishing_gradient", "gradient_norm/first", seen)
    assert not shows("vanishing_gradient", "gradient_norm/last", seen)
    assert not shows("vanishing_gradient", "gradient_norm/first", events(gradient_norm__first=[1e-7]))


def test_probabilities_add_up_to_one_and_logits_do_not():
    softmax, logits = events(outputs__row_sum=[1, 1]), events(outputs__row_sum=[0.4, -2])
    assert shows("probabilities_to_logits_loss", "outputs/row_sum", softmax)
    assert not shows("probabilities_to_logits_loss", "outputs/row_sum", logits)
    assert shows("logits_to_probability_loss", "outputs/row_sum", logits)
    assert not shows("logits_to_probability_loss", "outputs/row_sum", softmax)


def test_a_loss_that_never_gets_below_the_entropy_of_the_labels():
    stuck, learning = [2.4, 2.3, 2.3, 2.3], [2.4, 1, 0.5, 0.2]
    assert shows("labels_shuffled_apart", "loss", events(loss=stuck, labels__entropy=[2.2]))
    assert not shows("labels_shuffled_apart", "loss", events(loss=learning, labels__entropy=[2.2]))


def test_validation_falls_behind_training():
    apart = events(epoch__loss=[1, 0.1], epoch__val_loss=[2, 3], epoch__accuracy=[0.5, 1], epoch__val_accuracy=[0, 0.1])
    near = events(
        epoch__loss=[1, 0.1], epoch__val_loss=[1, 0.2], epoch__accuracy=[0.5, 1], epoch__val_accuracy=[0, 0.9]
    )
    for tag in ("epoch/val_loss", "epoch/val_accuracy"):
        assert shows("batchnorm_mode", tag, apart)
        assert not shows("batchnorm_mode", tag, near)


def test_weights_that_are_all_the_same_have_one_bar():
    table = np.zeros((1, 30, 3))
    table[0, 0, 2] = 6400
    same, spread = {"weights/w": (np.zeros(1), table)}, {"weights/w": (np.zeros(1), table + 5)}
    assert shows("symmetric_or_zero_init", "weights/w", same)
    assert not shows("symmetric_or_zero_init", "weights/w", spread)
