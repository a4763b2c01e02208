from keras_course.base import InputError
from keras_course.metrics import accuracy

import numpy as np
import pytest


def test_accuracy_counts_the_rows_whose_largest_logit_is_the_label():
    logits = [[0.1, 0.2, 0.0], [5.0, -1.0, 4.0], [-3.0, -2.0, -1.0], [0.0, 1.0, 0.5], [9.0, 1.0, 2.0]]
    assert accuracy([1, 2, 2, 1, 1], logits) == pytest.approx(3 / 5)


@pytest.mark.parametrize("labels", [np.zeros((5, 1)), np.zeros(3)])
def test_labels_that_numpy_would_compare_n_by_n_are_refused(labels):
    with pytest.raises(InputError, match=r"must be \(n,\) and \(n, classes\). Received: "):
        accuracy(labels, np.zeros((5, 3)))
