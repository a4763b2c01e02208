from keras_course.data import load_curve, reviews
from keras_course.data.made import BAD, GOOD, LENGTH

import numpy as np
import pytest


def test_reviews_have_three_words_that_judge_and_most_agree_with_the_label():
    splits = reviews(2000, seed=1)
    x, y = splits.train
    assert x.shape == (1400, LENGTH)
    good, bad = (x >= 1) & (x <= len(GOOD)), (x > len(GOOD)) & (x <= len(GOOD) + len(BAD))
    assert ((good | bad).sum(1) == 3).all()
    agree = np.where(y[:, None] == 1, good, bad).sum() / (3 * len(x))
    assert agree == pytest.approx(0.8, abs=0.04)


def test_the_share_of_bad_reviews_is_as_asked():
    assert 1 - reviews(4000, negative=0.05).train.y.mean() == pytest.approx(0.05, abs=0.015)


def test_the_target_is_the_load_three_hours_after_the_window_and_no_hour_is_in_two_splits():
    splits = load_curve(30, seed=2)
    x, y = splits.train
    assert (y[:-3] == x[3:, -1, 0]).all()
    hours = [set(np.concatenate([part.x.ravel(), part.y]).tolist()) for part in (splits.train, splits.validation)]
    assert not hours[0] & hours[1]


def test_made_data_repeat_with_their_seed():
    for made in (reviews, load_curve):
        assert (made(60, seed=3).train.x == made(60, seed=3).train.x).all()
        assert (made(60, seed=3).train.x != made(60, seed=4).train.x).any()
