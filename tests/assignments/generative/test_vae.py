import statistics

from assignments.generative.vae import Settings, bound, plane, train, variants
from keras_course import data, models, training
from keras_course.check import Mutant, points, same

import keras
import numpy as np
import pytest

MEAN = np.array([[0.7, -1.5, 0.2], [0.0, 2.0, -0.3]], "float32")
LOG_VAR = np.array([[-0.8, 0.5, 1.1], [0.0, -2.0, 0.3]], "float32")
X = np.random.default_rng(0).uniform(size=(2, 3, 5, 1)).astype("float32")
LOGITS = (3 * np.random.default_rng(1).normal(size=X.shape)).astype("float32")
DRAWS = 40_000
DEVIATION = np.exp(LOG_VAR[0].astype("float64") / 2)


def divergence(mean, log_var):
    """The values, and the gradients of their sum by both arguments, inside a graph as in training."""
    from keras_course.losses import kl_to_standard_normal

    import tensorflow as tf

    @tf.function
    def run(mean, log_var):
        with tf.GradientTape() as tape:
            tape.watch([mean, log_var])
            values = kl_to_standard_normal(mean, log_var)
        return [values, *tape.gradient(values, [mean, log_var], unconnected_gradients="zero")]

    return run(tf.constant(mean), tf.constant(log_var))


def reconstruction(x, logits):
    """The values, and the gradient of their sum by the logits, inside a graph as in training."""
    from keras_course.losses import bernoulli_nll

    import tensorflow as tf

    @tf.function
    def run(x, logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            values = bernoulli_nll(x, logits)
        return [values, tape.gradient(values, logits, unconnected_gradients="zero")]

    return run(tf.constant(x), tf.constant(logits))


def draws(mean, log_var, seed, times):
    """Successive draws of one layer, inside one graph as in training."""
    from keras_course.layers import Sampling

    import tensorflow as tf

    layer = Sampling(seed)
    run = tf.function(lambda mean, log_var: layer([mean, log_var], training=False))
    mean, log_var = tf.constant(mean), tf.constant(log_var)
    return [run(mean, log_var) for _ in range(times)]


def draw_with_gradients(mean, log_var):
    """A draw, and the gradients of its sum by both heads."""
    from keras_course.layers import Sampling

    import tensorflow as tf

    mean, log_var = tf.constant(mean), tf.constant(log_var)
    with tf.GradientTape() as tape:
        tape.watch([mean, log_var])
        z = Sampling(1)([mean, log_var])
    return [z, *tape.gradient(z, [mean, log_var], unconnected_gradients="zero")]


def marked_run(marks, examples):
    """A run on splits of one grey each: what each training and each measurement saw, and what was reported."""
    from unittest import mock

    from assignments.generative import vae
    from keras_course import data, training

    import numpy as np

    parts = [
        data.Split(np.full((n, 3, 2, 1), mark, "float32"), np.full(n, label))
        for label, (mark, n) in enumerate(zip(marks, examples, strict=True))
    ]
    splits = data.Splits(*parts, name="marked", source="small", classes=("a", "b", "c"), licence="none")
    trained, validated = [], []

    def greys(batches):
        return sorted({float(grey) for images, *_ in batches.dataset() for grey in np.ravel(images)})

    def fit(model, objective, batches, *, validation=None, **options):
        trained.append(greys(batches))
        validated.append(greys(validation))
        return {"loss": [1.0], "val_loss": [1.0]}

    def evaluate(model, objective, batches, **options):
        (grey,) = greys(batches)
        return dict.fromkeys(("loss", "reconstruction", "kl"), grey)

    with (
        mock.patch.object(data, "load", return_value=splits),
        mock.patch.object(training, "fit", fit),
        mock.patch.object(training, "evaluate", evaluate),
    ):
        result = vae.run(vae.Settings(hidden=(4,), epochs=1, variant_epochs=1), None)
    rows = [row["loss"] for table in result.tables.values() for row in table]
    return {"trained": trained, "validated": validated, "rows": rows, "scores": result.scores}


@points(2)
def test_kl_equals_the_integral_that_defines_it(subject):
    """KL is ∫ q log(q / p), summed over the latent dimensions, to 1e-6 for each example."""
    z = np.linspace(-40, 40, 200_001)[:, None, None]  # (points, batch, latent)
    mean, log_var = MEAN.astype("float64"), LOG_VAR.astype("float64")
    log_q = -0.5 * ((z - mean) ** 2 / np.exp(log_var) + log_var)
    integrand = np.exp(log_q) / np.sqrt(2 * np.pi) * (log_q + 0.5 * z**2)
    expected = np.trapezoid(integrand, z, axis=0).sum(axis=-1).astype("float32")
    received, *_ = subject(divergence, mean=MEAN, log_var=LOG_VAR)
    same(received, expected, rtol=1e-6)


def test_kl_is_zero_for_the_standard_normal_alone(subject):
    mean = np.array([[0, 0, 0], [0, 2, 0]], "float32")
    received, *_ = subject(divergence, mean=mean, log_var=np.zeros_like(mean))
    same(received, np.array([0, 2], "float32"))


def test_kl_pulls_both_heads(subject):
    """The gradients of KL are μ and ½ (σ² − 1)."""
    _, by_mean, by_log_var = subject(divergence, mean=MEAN, log_var=LOG_VAR)
    same(by_mean, MEAN, what="the gradient by the mean")
    same(by_log_var, (np.exp(LOG_VAR) - 1) / 2, what="the gradient by log_var")


@points(2)
def test_the_reconstruction_is_the_definition_summed_over_the_pixels(subject):
    """The likelihood is that of independent Bernoulli pixels, summed over all of an image."""
    x, logits = X.astype("float64"), LOGITS.astype("float64")
    p = 1 / (1 + np.exp(-logits))
    expected = np.sum(x * -np.log(p) + (1 - x) * -np.log1p(-p), axis=(1, 2, 3)).astype("float32")
    same(subject(reconstruction, x=X, logits=LOGITS)[0], expected, what="images")
    flat = {"x": X.reshape(2, 15), "logits": LOGITS.reshape(2, 15)}
    same(subject(reconstruction, **flat)[0], expected, what="vectors")


def test_what_is_there_twice_costs_twice(subject):
    """Both terms are sums: twice the pixels cost twice the nats, twice the codes twice the KL."""
    once, _ = subject(reconstruction, x=X, logits=LOGITS)
    twice, _ = subject(reconstruction, x=np.tile(X, (1, 2, 1, 1)), logits=np.tile(LOGITS, (1, 2, 1, 1)))
    same(twice, 2 * once, what="the reconstruction")
    once, *_ = subject(divergence, mean=MEAN, log_var=LOG_VAR)
    twice, *_ = subject(divergence, mean=np.tile(MEAN, (1, 2)), log_var=np.tile(LOG_VAR, (1, 2)))
    same(twice, 2 * once, what="the KL")


@points(2)
def test_logits_of_a_thousand_are_exact(subject):
    """Logits of ±1000 give exact values and gradients, no NaN and no infinity."""
    x = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.25, 0.0]], "float32")
    logits = np.array([[1000.0, -1000.0], [1000.0, -1000.0], [-1000.0, 1000.0], [-1000.0, np.log(3)]], "float32")
    values, gradient = subject(reconstruction, x=x, logits=logits)
    same(values, np.array([0, 1000, 1000, 250 + np.log(4)], "float32"))
    same(gradient, np.array([[0, 0], [1, 0], [-1, 0], [-0.25, 0.75]], "float32"), what="the gradient by the logits")


@points(2)
def test_draws_have_the_mean_and_the_variance_asked_for(subject):
    mean, log_var = (np.repeat(head[:1], DRAWS, axis=0) for head in (MEAN, LOG_VAR))
    (z,) = subject(draws, mean=mean, log_var=log_var, seed=0, times=1)
    same(z.shape, (DRAWS, 3))
    # 5 standard errors for six numbers: a right layer fails for 4 seeds in a million, and this seed is fixed
    off = np.abs(z.mean(axis=0) - MEAN[0]) / DEVIATION * DRAWS**0.5
    assert off.max() < 5, f"the mean is {off.max():.3g} standard errors off"
    off = np.abs(z.var(axis=0) / DEVIATION**2 - 1) * (DRAWS / 2) ** 0.5
    assert off.max() < 5, f"the variance is {off.max():.3g} standard errors off"


def test_draws_are_normal_and_independent(subject):
    """Draws fall within one deviation as often as a normal variable, and tell nothing of each other."""
    mean, log_var = (np.repeat(head[:1], DRAWS, axis=0) for head in (MEAN, LOG_VAR))
    (z,) = subject(draws, mean=mean, log_var=log_var, seed=0, times=1)
    e = (z - MEAN[0]) / DEVIATION
    for width in (1, 2):
        due = 1 - 2 * statistics.NormalDist().cdf(-width)
        share = float(np.mean(np.abs(e) < width))
        assert abs(share - due) < 5 * (due * (1 - due) / e.size) ** 0.5, f"{share:.4f} within {width} deviations"
    pairs = {"columns": (e[:, 0], e[:, 1]), "last columns": (e[:, 1], e[:, 2]), "rows": (e[1:, 0], e[:-1, 0])}
    for what, (a, b) in pairs.items():
        correlation = float(np.mean(a * b))
        assert abs(correlation) < 5 / DRAWS**0.5, f"two {what} correlate by {correlation:.3g}"


@points(2)
def test_every_call_draws_anew(subject):
    """In a graph too, and in inference: no draw comes twice, and none is the mean."""
    found = subject(draws, mean=MEAN, log_var=LOG_VAR, seed=7, times=3)
    for i, z in enumerate(found):
        for other in [*found[:i], MEAN]:
            assert np.abs(z - other).min() > 0, "a draw that comes again" if other is not MEAN else "no draw, the mean"


def test_a_seed_fixes_the_sequence_of_draws(subject):
    first, again, other = (subject(draws, mean=MEAN, log_var=LOG_VAR, seed=seed, times=3) for seed in (7, 7, 8))
    same(again, first)
    assert np.abs(first[0] - other[0]).min() > 0, "two seeds give the same draw"


@points(2)
def test_the_gradient_reaches_both_heads(subject):
    """z = μ + σε: the derivative by μ is 1, by log σ² it is σε / 2 = (z − μ) / 2."""
    z, by_mean, by_log_var = subject(draw_with_gradients, mean=MEAN, log_var=LOG_VAR)
    same(by_mean, np.ones_like(MEAN), what="the gradient by the mean")
    same(by_log_var, (z - MEAN) / 2, what="the gradient by log_var")


@points(2)
def test_only_train_is_trained_on_and_only_validation_validates(subject):
    """Every network trains on the training images, is validated on others and measured on those left."""
    found = subject(marked_run, marks=[0.25, 0.5, 0.75], examples=[12, 5, 11])
    runs = len(found["trained"])
    assert runs >= 2, f"{runs} networks trained: where are the variants?"
    same(found["trained"], [[0.25]] * runs, what="the images trained on")
    same(found["validated"], [[0.5]] * runs, what="the images validated on")
    same(found["rows"], [0.75] * len(found["rows"]), what="the images of the table")
    same(found["scores"]["nats"], 0.75, what="the images of the reported bound")
    same(found["scores"]["gap"], 0.5, what="the bound on test images less that on training images")
    same(found["scores"]["code_neighbours"], 0.0, what="test classes that only the test codes could tell")


def marked_splits():
    parts = [data.Split(np.full((4, 3, 2, 1), mark, "float32"), np.zeros(4, int)) for mark in (0.25, 0.5, 0.75)]
    return data.Splits(*parts, name="marked", source="small", classes=("a",), licence="none")


def constant_vae(logit, mean, log_var):
    """A VAE of one code that gives the same logit and the same code distribution for every image."""
    model = models.vae((3, 2, 1), latent=1, hidden=(2,), seed=0)
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    for weight in model.trainable_weights:
        weight.assign(np.zeros(weight.shape))
    encoder.get_layer("mean").bias.assign([mean])
    encoder.get_layer("log_var").bias.assign([log_var])
    decoder.get_layer("logits").bias.assign(np.full(6, logit))
    return model


def test_the_bound_is_in_nats_per_image_with_the_whole_kl():
    found = bound(constant_vae(1.5, mean=2.0, log_var=-1.0), marked_splits().test)
    nll = 6 * (np.log1p(np.exp(1.5)) - 0.75 * 1.5)  # −x l + log(1 + e^l) for each of six pixels
    kl = 0.5 * (4 + np.exp(-1) - 1 + 1)
    assert found == pytest.approx({"loss": nll + kl, "reconstruction": nll, "kl": kl}, rel=1e-5)


def test_each_variant_differs_from_the_settings_by_what_its_label_says(monkeypatch):
    settings, caught = Settings(hidden=(12, 8), beta=0.5), []
    monkeypatch.setattr(training, "fit", lambda model, objective, batches, **options: caught.append(objective))
    found = {}
    for label, change in variants(settings).items():
        model, _ = train(marked_splits(), settings, label, epochs=1, **change)
        model.get_layer("encoder").get_layer("mean").bias.assign([1.0, 1.0])  # no KL of 0, even with dead units
        loss, terms = caught[-1](model, (np.ones((4, 3, 2, 1), "float32"),), False)
        dense = [layer for layer in model.get_layer("encoder").layers if layer.name.startswith("hidden")]
        beta = (float(loss) - float(terms["reconstruction"])) / float(terms["kl"])
        found[label] = (round(beta, 2), [layer.units for layer in dense], dense[0].activation.__name__)
    plain = (0.5, [12, 8], "relu")
    assert found == {
        "as it is": plain,
        "β = 0: an autoencoder": (0.0, *plain[1:]),
        "β = 4": (4.0, *plain[1:]),
        "a quarter of the width": (0.5, [3, 2], "relu"),
        "one hidden layer": (0.5, [12], "relu"),
        "tanh": (*plain[:2], "tanh"),
        "sigmoid": (*plain[:2], "sigmoid"),
    }


def test_the_plane_has_the_first_code_to_the_right_and_the_second_upwards():
    codes = keras.Input((2,))
    decoder = keras.Model(codes, keras.layers.Reshape((1, 2, 1))(codes), name="decoder")
    found = plane(keras.Model(codes, decoder(codes)), 3)[:, :, 0, :, 0]  # (row, column, code)
    step = statistics.NormalDist().inv_cdf(5 / 6)  # thirds of the probability, each at its middle
    shown = 1 / (1 + np.exp(-np.array([-step, 0, step])))
    np.testing.assert_allclose(found[..., 0], np.tile(shown, (3, 1)), rtol=1e-5)
    np.testing.assert_allclose(found[..., 1], np.tile(shown[::-1, None], (1, 3)), rtol=1e-5)


MUTANTS = [
    Mutant(
        file="keras_course/losses.py",
        old="return ops.sum(nll, axis=",
        new="return ops.mean(nll, axis=",
        caught_by="test_what_is_there_twice_costs_twice",
        trap="mean reconstruction with summed KL",
    ),
    Mutant(
        file="keras_course/losses.py",
        old="return ops.sum(nll, axis=tuple(range(1, len(nll.shape))))",
        new="return ops.sum(nll, axis=-1)",
        caught_by="test_the_reconstruction_is_the_definition_summed_over_the_pixels",
        trap="a sum over the last axis of an image only",
    ),
    Mutant(
        file="keras_course/losses.py",
        old="ops.binary_crossentropy(x, logits, from_logits=True)",
        new="-x * ops.log(ops.sigmoid(logits)) - (1 - x) * ops.log(1 - ops.sigmoid(logits))",
        caught_by="test_logits_of_a_thousand_are_exact",
        trap="log of a sigmoid",
    ),
    Mutant(
        file="keras_course/losses.py",
        old="ops.binary_crossentropy(x, logits, from_logits=True)",
        new="ops.binary_crossentropy(x, ops.clip(ops.sigmoid(logits), 1e-7, 1 - 1e-7))",
        caught_by="test_logits_of_a_thousand_are_exact",
        trap="probabilities clipped away from 0 and 1",
    ),
    Mutant(
        file="keras_course/losses.py",
        old="ops.expm1(log_var) - log_var",
        new="ops.expm1(2 * log_var) - 2 * log_var",
        caught_by="test_kl_equals_the_integral_that_defines_it",
        trap="log σ² taken for log σ",
    ),
    Mutant(
        file="keras_course/losses.py",
        old="ops.square(mean) + ops.expm1(log_var) - log_var",
        new="(ops.square(mean) + 1) * ops.exp(-log_var) - 1 + log_var",
        caught_by="test_kl_equals_the_integral_that_defines_it",
        trap="the divergence the other way round",
    ),
    Mutant(
        file="keras_course/losses.py",
        old="0.5 * ops.sum(ops.square(mean)",
        new="0.5 * ops.mean(ops.square(mean)",
        caught_by="test_what_is_there_twice_costs_twice",
        trap="a mean over the latent dimensions",
    ),
    Mutant(
        file="keras_course/losses.py",
        old="0.5 * ops.sum(ops.square(mean)",
        new="ops.sum(ops.square(mean)",
        caught_by="test_kl_is_zero_for_the_standard_normal_alone",
        trap="the ½ forgotten",
    ),
    Mutant(
        file="keras_course/losses.py",
        old="0.5 * ops.sum(ops.square(mean) + ops.expm1(log_var) - log_var",
        new="0.5 * ops.sum(ops.square(mean) + ops.expm1(ops.stop_gradient(log_var)) - log_var",
        caught_by="test_kl_pulls_both_heads",
        trap="a variance that is not pulled",
    ),
    Mutant(
        file="keras_course/layers/sampling.py",
        old="ops.exp(log_var / 2)",
        new="ops.exp(log_var)",
        caught_by="test_draws_have_the_mean_and_the_variance_asked_for",
        trap="variance for deviation",
    ),
    Mutant(
        file="keras_course/layers/sampling.py",
        old="keras.random.normal(ops.shape(mean), dtype=self.compute_dtype, seed=self.seed_generator)",
        new="keras.random.uniform(ops.shape(mean), -(3**0.5), 3**0.5, seed=self.seed_generator)",
        caught_by="test_draws_are_normal_and_independent",
        trap="uniform noise of variance 1",
    ),
    Mutant(
        file="keras_course/layers/sampling.py",
        old="keras.random.normal(ops.shape(mean),",
        new="keras.random.normal((1, mean.shape[1]),",
        caught_by="test_draws_have_the_mean_and_the_variance_asked_for",
        trap="one epsilon for the whole batch",
    ),
    Mutant(
        file="keras_course/layers/sampling.py",
        old="keras.random.normal(ops.shape(mean),",
        new="keras.random.normal((ops.shape(mean)[0], 1),",
        caught_by="test_draws_are_normal_and_independent",
        trap="one epsilon for all latent dimensions",
    ),
    Mutant(
        file="keras_course/layers/sampling.py",
        old="seed=self.seed_generator)",
        new="seed=self.seed)",
        caught_by="test_every_call_draws_anew",
        trap="the same epsilon in every call",
    ),
    Mutant(
        file="keras_course/layers/sampling.py",
        old="epsilon = keras.random.normal(ops.shape(mean), dtype=self.compute_dtype, seed=self.seed_generator)",
        new="import numpy as np; epsilon = np.random.normal(size=mean.shape).astype('float32')",
        caught_by="test_every_call_draws_anew",
        trap="NumPy's noise, drawn once when the graph is traced",
    ),
    Mutant(
        file="keras_course/layers/sampling.py",
        old=", seed=self.seed_generator)",
        new=")",
        caught_by="test_a_seed_fixes_the_sequence_of_draws",
        trap="the seed unused",
    ),
    Mutant(
        file="keras_course/layers/sampling.py",
        old="return mean + ops.exp(log_var / 2) * epsilon",
        new="return ops.stop_gradient(ops.exp(log_var / 2) * epsilon) + mean",
        caught_by="test_the_gradient_reaches_both_heads",
        trap="no gradient to the variance",
    ),
    Mutant(
        file="assignments/generative/vae.py",
        old="((splits.train, True), (splits.validation, False))",
        new="((splits.test, True), (splits.validation, False))",
        caught_by="test_only_train_is_trained_on_and_only_validation_validates",
        trap="training on test",
    ),
    Mutant(
        file="assignments/generative/vae.py",
        old="((splits.train, True), (splits.validation, False))",
        new="((splits.train, True), (splits.test, False))",
        caught_by="test_only_train_is_trained_on_and_only_validation_validates",
        trap="test images used for validation",
    ),
]
