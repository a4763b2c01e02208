from keras_course.base import InputError
from keras_course.training.stopping import EarlyStopping

import pytest

NAN = float("nan")


@pytest.mark.parametrize(
    ("mode", "min_delta", "curve", "best"),
    [
        ("min", 0.0, [5, 3, 4, 3], 1),  # an equal value is no improvement
        ("max", 0.0, [5, 3, 7, 6], 2),
        ("min", 0.5, [5, 4.6, 4.4, 4.3], 2),  # against the best that counted, not against the value before
        ("min", 0.0, [NAN, 4, NAN, 5], 1),
        ("max", 0.0, [NAN, NAN], 0),
    ],
)
def test_best_is_the_last_improvement(mode, min_delta, curve, best):
    assert EarlyStopping(mode=mode, min_delta=min_delta).best(curve) == best


def test_it_stops_patience_epochs_behind_the_best():
    curve = [3, 2, 4, 5, 6]
    stops = [EarlyStopping(patience=2).stops(curve[:n]) for n in range(1, 6)]
    assert stops == [False, False, False, True, True]


@pytest.mark.parametrize("wrong", [{"patience": 0}, {"mode": "least"}, {"min_delta": -0.1}])
def test_impossible_values_are_refused_by_name(wrong):
    with pytest.raises(InputError, match=f"`{next(iter(wrong))}` must be"):
        EarlyStopping(**wrong)
