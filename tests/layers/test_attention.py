from keras_course.layers import AdditiveAttention, CosineAttention, DotProductAttention, MultiHeadAttention
from tests.layers.cases import CASES, randomise
from tests.layers.reference import softmax

import keras
import numpy as np
import pytest
import tensorflow as tf

LAYERS = {
    "dot": DotProductAttention,
    "unscaled": lambda: DotProductAttention(False),
    "cosine": lambda: CosineAttention(2.0),
    "additive": lambda: AdditiveAttention(3),
    "multi-head": lambda: MultiHeadAttention(2, 3),
}
every = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)

Q, V = CASES["dot product"].arrays()  # (2, 3, 4), (2, 5, 4)
K = V[:, ::-1] * 0.7 + 0.1
MASK = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], bool)


def built(layer):
    layer(Q, V)
    randomise(layer)
    return layer


def attend(layer, *inputs, **options):
    return [np.asarray(x) for x in layer(*inputs, return_attention_scores=True, **options)]


# The definition of each score


def cosine(q, k):
    return np.einsum("btd,bsd->bts", q, k) / np.einsum(
        "bt,bs->bts", np.linalg.norm(q, axis=-1), np.linalg.norm(k, axis=-1)
    )


def additive(q, k, w, u, v):
    return (np.tanh((q @ w)[:, :, None] + (k @ u)[:, None]) @ v)[..., 0]


SCORES = {
    "dot": lambda layer: Q @ K.transpose(0, 2, 1) / np.sqrt(4),
    "unscaled": lambda layer: Q @ K.transpose(0, 2, 1),
    "cosine": lambda layer: float(layer.beta) * cosine(Q, K),
    "additive": lambda layer: additive(Q, K, *layer.get_weights()),
}


@pytest.mark.parametrize("name", SCORES)
def test_output_is_the_mean_of_values_weighted_by_the_softmax_of_scores(name):
    layer = built(LAYERS[name]())
    output, weights = attend(layer, Q, V, K)
    expected = softmax(SCORES[name](layer))
    np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(output, expected @ V, rtol=1e-4, atol=1e-5)


def test_the_strength_of_the_cosine_starts_where_it_was_put():
    layer = CosineAttention(2.5)
    layer(Q, V)
    assert float(layer.beta) == 2.5


def test_cosine_ignores_lengths_and_a_zero_vector_gives_no_nan():
    layer = CosineAttention(2.0)
    np.testing.assert_allclose(layer(3 * Q, V, 5 * K), layer(Q, V, K), rtol=1e-5)
    zero = tf.zeros_like(Q)
    with tf.GradientTape() as tape:
        tape.watch(zero)
        y = layer(zero, V)
    assert np.isfinite(y).all()
    assert np.isfinite(tape.gradient(y, zero)).all()


# What holds for all of them


@every
def test_weights_are_shares_of_one_among_the_unmasked_keys(make):
    _, weights = attend(built(make()), Q, V, value_mask=MASK)
    visible = np.broadcast_to(MASK[:, None] if weights.ndim == 3 else MASK[:, None, None], weights.shape)
    np.testing.assert_array_equal(weights > 0, visible)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6)


@every
def test_padded_keys_change_nothing(make):
    layer = built(make())
    padding = np.full((2, 2, 4), 1e3, "float32")
    mask = np.repeat([[True] * 5 + [False] * 2], 2, axis=0)
    padded, keys = np.concatenate([V, padding], axis=1), np.concatenate([K, -padding], axis=1)
    np.testing.assert_allclose(layer(Q, padded, value_mask=mask), layer(Q, V), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer(Q, padded, keys, key_mask=mask), layer(Q, V, K), rtol=1e-5, atol=1e-6)


@every
def test_permuted_keys_and_values_change_nothing(make):
    layer, order = built(make()), [3, 0, 4, 1, 2]
    np.testing.assert_allclose(layer(Q, V[:, order], K[:, order]), layer(Q, V, K), rtol=1e-4, atol=1e-5)


@every
def test_future_tokens_change_nothing_under_the_causal_mask(make):
    layer, changed = built(make()), V.copy()
    changed[:, 3:] += 5.0
    before, after = (np.asarray(layer(v, v, use_causal_mask=True)) for v in (V, changed))
    np.testing.assert_allclose(before[:, :3], after[:, :3], rtol=1e-5, atol=1e-6)
    assert np.abs(before[:, 3:] - after[:, 3:]).max(axis=-1).min() > 1e-3


@every
def test_causal_and_padding_masks_hold_together(make):
    _, weights = attend(built(make()), V, V, value_mask=MASK, use_causal_mask=True)
    visible = np.tril(np.ones((5, 5), bool)) & MASK[:, None]
    visible = np.broadcast_to(visible if weights.ndim == 3 else visible[:, None], weights.shape)
    np.testing.assert_array_equal(weights > 0, visible)


@every
def test_a_query_with_every_key_masked_gives_zero_weights_and_finite_gradients(make):
    layer, none = built(make()), np.array([[False] * 5, [True] * 5])
    q, v = tf.constant(Q), tf.constant(V)
    with tf.GradientTape() as tape:
        tape.watch([q, v])
        output, weights = layer(q, v, value_mask=none, return_attention_scores=True)
    np.testing.assert_array_equal(weights[0], 0)
    for array in (output, *tape.gradient(output, [q, v])):
        assert np.isfinite(array).all()


@every
def test_a_masked_query_attends_to_nothing(make):
    mask = np.array([[1, 0, 1], [1, 1, 0]], bool)
    _, weights = attend(built(make()), Q, V, query_mask=mask)
    sums = weights.sum(axis=-1)
    np.testing.assert_allclose(sums, np.broadcast_to(mask if sums.ndim == 2 else mask[:, None], sums.shape), rtol=1e-6)


@every
def test_large_scores_give_no_nan(make):
    assert np.isfinite(built(make())(1e4 * Q, 1e4 * V, value_mask=MASK)).all()


def test_masked_keys_lose_against_the_worst_of_the_others():
    query, key = np.full((1, 1, 1), 1e5, "float32"), np.array([[[-1e5], [-2e5], [0.0]]], "float32")
    _, weights = attend(DotProductAttention(False), query, key, value_mask=np.array([[False, True, False]]))
    np.testing.assert_array_equal(weights, [[[0, 1, 0]]])


@every
@pytest.mark.parametrize("precision", ["float16", "mixed_bfloat16"])
def test_masks_hold_in_half_precision(make, precision):
    layer = type(make()).from_config({**make().get_config(), "dtype": precision})
    mask = np.array([[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]], bool)
    query = tf.constant(Q)
    with tf.GradientTape() as tape:
        tape.watch(query)
        output, weights = layer(query, V, value_mask=mask, return_attention_scores=True)
    assert np.isfinite(tape.gradient(output, query)).all()
    expected = mask[:, None] if weights.ndim == 3 else mask[:, None, None]
    np.testing.assert_array_equal(weights, np.broadcast_to(expected, weights.shape))


@pytest.mark.filterwarnings("error:.*does not support masking")
@every
def test_masks_attached_to_tensors_are_found_and_that_of_the_query_goes_on(make):
    query, value = keras.Input((None, 4)), keras.Input((None, 4))
    layer, drop_zeros = built(make()), keras.layers.Masking()
    mean = keras.layers.GlobalAveragePooling1D()  # over the unmasked queries
    model = keras.Model([query, value], mean(layer(drop_zeros(query), drop_zeros(value))))
    zeros = np.zeros((2, 2, 4), "float32")
    padded = [np.concatenate([x, zeros], axis=1) for x in (Q, V)]
    np.testing.assert_allclose(model(padded), np.mean(layer(Q, V), axis=1), rtol=1e-5, atol=1e-6)


# Several heads


@pytest.mark.parametrize(
    "options", [{}, {"value_mask": MASK}, {"use_causal_mask": True}], ids=["free", "mask", "causal"]
)
def test_multi_head_attention_equals_that_of_keras(options):
    ours, theirs = MultiHeadAttention(2, 3, value_dim=5), keras.layers.MultiHeadAttention(2, 3, value_dim=5)
    theirs(Q, V, K)
    randomise(theirs)
    ours(Q, V, K)
    ours.set_weights(theirs.get_weights())
    for got, expected in zip(attend(ours, Q, V, K, **options), attend(theirs, Q, V, K, **options), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_one_head_with_identity_projections_is_scaled_dot_product_attention():
    layer = MultiHeadAttention(1, 4)
    layer(Q, V)
    eye = np.eye(4, dtype="float32")
    kernels, biases = [eye[:, None], eye[:, None], eye[:, None], eye[None]], [np.zeros((1, 4))] * 3 + [np.zeros(4)]
    layer.set_weights([w for pair in zip(kernels, biases, strict=True) for w in pair])
    np.testing.assert_allclose(layer(Q, V), DotProductAttention()(Q, V), rtol=1e-5, atol=1e-6)


@every
def test_scores_are_a_second_output_of_a_functional_model(make):
    query, value = keras.Input((None, 4)), keras.Input((None, 4))
    layer = built(make())
    model = keras.Model([query, value], layer(query, value, return_attention_scores=True))
    for got, expected in zip(model([Q, V]), attend(layer, Q, V), strict=True):
        np.testing.assert_array_equal(got, expected)
