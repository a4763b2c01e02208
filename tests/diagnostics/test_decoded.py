from keras_course.diagnostics.decoded import agreement, decoded, misnamed
from keras_course.diagnostics.script import diagnose

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import accuracy_score

NAMES = ["oak", "ash", "elm", "fir"]
N = 60


def found(script):
    true = np.random.default_rng(3).integers(0, 4, N)
    said = np.where(np.arange(N) % 10 == 0, (true + 1) % 4, true)
    names = {
        "np": np,
        "tf": tf,
        "accuracy_score": accuracy_score,
        "NAMES": np.array(NAMES),
        "CODE": {name: place for place, name in enumerate(NAMES)},
    }
    names |= {"true": true, "said": said, "called": np.array(NAMES)[true], "chances": np.eye(4)[said]}
    names |= {"eye": keras.Sequential([keras.Input((4,)), keras.layers.Identity()])}
    exec(script, names)
    return [line.number for line in decoded(script, names)]


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("right = np.mean(NAMES[said] == called)", []),
        ("right = np.mean(np.unique(called)[said] == called)", [1]),
        ("other = sorted(CODE)\nwrong = np.mean(np.array(other)[said] != called)", [2]),
        ("right = np.mean(np.array(list(CODE))[said] == called)", []),
        ("right = accuracy_score(called, np.unique(called)[chances.argmax(1)])", [1]),
        ("right = accuracy_score(called, np.unique(called)[eye.predict(chances, verbose=0).argmax(1)])", [1]),
        (
            "right = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(tf.constant(chances), 1), (true + 1) % 4), 'float32'))",
            [],
        ),
        ("next_one = tf.constant((true + 1) % 4)\nright = tf.equal(tf.argmax(tf.constant(chances), 1), next_one)", [2]),
        (
            "def main():\n    guess = np.asarray(eye(chances)).argmax(1)\n    return NAMES[::-1][guess] == called",
            [3],
        ),
        ("def score(said):\n    return np.unique(called)[said] == called\nscore(true)", []),  # called with anything
        ("turned = np.array([1, 0])[(true > 1).astype(int)]\nright = (said > 1).astype(int) == turned", []),
        ("turned = 1 - (true > 1)\nright = (said > 1) == turned", []),  # of two numbers nothing is said
        (
            "pairs = np.where(true > 1, 'ham', 'spam')\nright = pairs[::-1] == true",
            [],
        ),
        ("few = called[:40]\nright = np.unique(called)[said[:40]] == few", []),
        ("right = np.random.default_rng(0).permutation(called) == called", []),
        ("next_one = (true + 1) % 4\nright = tf.equal(tf.cast(said, tf.int32), tf.cast(next_one, tf.int32))", [2]),
    ],
)
def test_lines_that_compare_names_in_another_order(script, lines):
    assert found(script) == lines


def test_names_of_a_function_are_its_own():
    """By the line that it begins on, that of its decorator where it has one."""
    script = "\n".join(
        [
            "def plain(said, true):",
            "    return NAMES[said] == true",
            "@cached",
            "def score(said, true):",
            "    def inner():",
            "        return NAMES[::-1][said] == true",
            "    return inner()",
            "wrong = NAMES[said] == called",
        ]
    )
    true = np.random.default_rng(3).integers(0, 4, N)
    names = {"NAMES": np.array(NAMES), "said": true, "called": np.array(NAMES[::-1])[true]}
    other = np.random.default_rng(5).integers(0, 4, N)
    called, turned = np.array(NAMES)[other], np.array(NAMES[::-1])[other]

    def lines(functions=None):
        return [line.number for line in decoded(script, names, functions)]

    assert lines() == [8]
    assert lines({1: {"said": other, "true": turned}}) == [2, 8]
    assert lines({1: {"said": other, "true": called}, 3: {"said": other, "true": called}}) == [6, 8]
    assert lines({4: {"said": other, "true": called}}) == [8]


def test_a_model_is_not_asked_about_what_may_have_no_end():
    asked = []

    def rows():
        asked.append("a generator")
        yield np.eye(4)

    names = {"model": keras.Sequential([keras.Input((4,)), keras.layers.Identity()]), "rows": rows()}
    names |= {"np": np, "called": np.array(NAMES * 20)}
    assert decoded("right = np.unique(called)[model.predict(rows, steps=20).argmax(1)] == called", names) == []
    assert asked == []


def test_two_names_turned_round():
    script = "pairs = np.where(true > 1, 'ham', 'spam')\nright = np.array(['ham', 'spam'])[(said > 1) * 1] == pairs"
    assert found(script) == []  # a product is not merely looked up
    assert found(script.replace("(said > 1) * 1", "(said > 1).astype(int)")) == [2]
    assert (
        found(script.replace("(said > 1) * 1", "(said > 1).astype(int)").replace("['ham', 'spam']", "['spam', 'ham']"))
        == []
    )


def test_agreement_of_three_names():
    first, second = np.array(list("aabbcc")), np.array(list("bbccab"))
    agree, permuted = agreement(first, second)
    assert agree == 0
    assert permuted == pytest.approx(5 / 6)


SCRIPT = """
import numpy as np
import keras
keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
ROCKS = ["slate", "chalk", "flint"]
kind = rng.integers(0, 3, 600)
x = (rng.normal(0, .4, (600, 3)) + np.eye(3)[kind]).astype("float32")
rock = np.array(ROCKS)[kind]
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="softmax")])
model.compile(keras.optimizers.Adam(.05), "sparse_categorical_crossentropy")
model.fit(x[:400], kind[:400], epochs=8, verbose=0)
guess = model.predict(x[400:], verbose=0).argmax(1)
print(np.mean(np.array(LIST)[guess] == rock[400:]))
"""


def in_a_function(script):
    """The same script, with all its lines behind the imports in a function, and the last ones in another."""
    lines = script.strip().splitlines()
    head, body, tail = lines[:2], lines[2:-2], lines[-2:]
    body += ["score(model, x[400:], rock[400:], ROCKS)"]
    tail = [line.replace("x[400:]", "rows").replace("rock[400:]", "true") for line in tail]
    return "\n".join(
        ["", *head, "def score(model, rows, true, ROCKS):", *(f"    {line}" for line in tail), "def main():",
         *(f"    {line}" for line in body), "main()"]
    )  # fmt: skip


@pytest.mark.parametrize("written", [str, in_a_function])
@pytest.mark.parametrize(("names", "named"), [("ROCKS", []), ("sorted(ROCKS)", ["label_encoding"])])
def test_a_script_that_names_its_classes(tmp_path, capsys, names, named, written):
    script = written(SCRIPT.replace("LIST", names))
    (tmp_path / "train.py").write_text(script)
    (report,) = diagnose(tmp_path / "train.py").reports
    assert [finding.cause for finding in report.named] == named
    compares = next(i for i, line in enumerate(script.splitlines(), 1) if "np.mean" in line)
    assert [finding.line for finding in report.named] == [compares] * len(named)


KINDS = ["noise", "tectonic", "blast", "icequake"]


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("for k, name in enumerate(KINDS): pass\ncalled = np.unique(KINDS)[guess]", [2]),
        ("number = KINDS.index('blast')\ncalled = [sorted(KINDS)[k] for k in guess]", [2]),
        ("first = KINDS[0]\ncalled = np.array(sorted(KINDS))[guess]", []),  # one more step, which may number them
        ("called = np.unique(KINDS)[guess]", []),  # nothing says that their places are numbers
        ("for k, name in enumerate(KINDS): pass\nfirst = sorted(KINDS)[0]", []),
        ("for k, name in enumerate(KINDS): pass\nlast = sorted(KINDS)[-2:]", []),
        ("names = sorted(KINDS)\nfor k, name in enumerate(KINDS): pass\ncalled = sorted(KINDS)[guess[0]]", []),
        ("for k, name in enumerate(KINDS): pass\ny = LabelEncoder()\ncalled = sorted(KINDS)[guess[0]]", []),
        ("kinds = pd.Categorical(y)\nfirst = KINDS[0]\ncalled = sorted(KINDS)[guess[0]]", []),
        ("first = KINDS[0]\nloss = SparseCategoricalCrossentropy()\ncalled = sorted(KINDS)[guess[0]]", [3]),
        ("for k, name in enumerate(ORDERED): pass\ncalled = np.unique(ORDERED)[guess]", []),
        ("for k, name in enumerate(NUMBERS): pass\ncalled = np.unique(NUMBERS)[guess]", []),
    ],
)
def test_classes_that_are_named_by_a_sorted_list(script, lines):
    names = {"KINDS": KINDS, "ORDERED": sorted(KINDS), "NUMBERS": [3, 1, 2], "guess": np.arange(3), "np": np}
    assert (
        [line for line, _ in misnamed(script, names)] == lines == [line for line, _ in misnamed(script.encode(), names)]
    )
    as_tuple = misnamed(script, names | {"KINDS": tuple(KINDS)})
    assert as_tuple == [(line, "KINDS") for line in lines]
