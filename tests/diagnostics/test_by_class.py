from keras_course.diagnostics.by_class import by_class

import pytest


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from sklearn.metrics import balanced_accuracy_score as b\nbal = b(y, said)", "balanced_accuracy_score"),
        ("bal = balanced_accuracy_score(y, said)", "balanced_accuracy_score"),
        ("print(metrics.f1_score(y, said, average='macro'))", "f1_score"),
        ("mean_recall = np.mean(found)", "mean_recall"),
        ("m = keras.metrics.Recall()", "Recall"),
        ("m = keras.metrics.SensitivityAtSpecificity(0.5)", "SensitivityAtSpecificity"),
        ("def macro(y, said):\n    return 0", "macro"),
        ("model.fit(x, y, class_weight='balanced')", ""),
        ("score = accuracy_score(y, said)", ""),
        ("score = roc_auc_score(y, said)", ""),  # whatever the shares are
        ("recalled = balancing = macros = 1", ""),
    ],
)
def test_what_measures_each_class(line, name):
    assert by_class(line) == name
