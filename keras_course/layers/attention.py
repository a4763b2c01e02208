"""Attention: each query takes a weighted mean of the values, weighted by how well their keys fit it.

What differs is the score: a dot product, a cosine, or a small network; several heads at once are Vaswani's.
"""

import math
from typing import Any

from keras_course.base import require
from keras_course.layers import arguments

import keras
from keras import ops

# What stands for the score of a masked key: below every real score, but finite, for -inf makes NaN of a row of them.
LOWEST = {"float16": -6.5e4, "bfloat16": -3e38, "float32": -3e38, "float64": -1e308}


def allowed_pairs(query: Any, value: Any, masks: tuple[Any, Any, Any], *, causal: bool) -> Any:
    """Which query may look at which key: booleans that broadcast to (batch, queries, keys).

    `masks` are those of query (batch, queries), value and key (batch, keys), each or None.
    """
    query_mask, *key_masks = masks
    allowed = ops.ones((1, 1, 1), dtype="bool")
    if query_mask is not None:
        allowed = ops.logical_and(allowed, ops.expand_dims(query_mask, 2))  # (batch, queries, 1)
    for mask in key_masks:
        if mask is not None:
            allowed = ops.logical_and(allowed, ops.expand_dims(mask, 1))  # (batch, 1, keys)
    if causal:
        past = ops.arange(ops.shape(query)[1])[:, None] >= ops.arange(ops.shape(value)[1])[None, :]
        allowed = ops.logical_and(allowed, past)  # (batch, queries, keys)
    return allowed


def masked_softmax(scores: Any, allowed: Any) -> Any:
    """Softmax over the last axis of the `allowed` scores, 0 elsewhere; a row with none allowed is 0 throughout."""
    lowest = LOWEST[keras.backend.standardize_dtype(scores.dtype)]
    weights = ops.softmax(ops.where(allowed, scores, lowest), axis=-1)
    return ops.where(allowed, weights, 0.0)


class Attention(keras.layers.Layer):
    """softmax(score(query, key)) value; subclasses give `scores`.

    query (batch, queries, depth), value and key (batch, keys, …), key = value unless given
    -> (batch, queries, depth of value); with `return_attention_scores` also the weights (batch, queries, keys).
    The weights of a query are at least 0 and sum to 1; they are all 0 where every key is masked or the query is.
    Masks of value and key hide keys; the mask of the query goes on to the next layer.
    With `use_causal_mask`, query i sees keys 0 to i.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def scores(self, query: Any, key: Any) -> Any:
        """How well each key fits each query: (…, queries, depth), (…, keys, depth) -> (…, queries, keys)."""
        raise NotImplementedError

    def attend(self, query: Any, value: Any, key: Any, allowed: Any) -> tuple[Any, Any]:
        """Output and weights, given which pairs are `allowed`."""
        weights = masked_softmax(self.scores(query, key), allowed)  # (…, queries, keys)
        return ops.matmul(weights, value), weights

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        masks = (query_mask, value_mask, key_mask)
        allowed = allowed_pairs(query, value, masks, causal=use_causal_mask)
        output, weights = self.attend(query, value, value if key is None else key, allowed)
        return (output, weights) if return_attention_scores else output

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        # By tracing `call`: how many outputs there are depends on `return_attention_scores`.
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def compute_output_shape(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> tuple:
        return (*query_shape[:-1], value_shape[-1])


def require_equal_depth(query_shape: tuple, key_shape: tuple) -> None:
    """Refuses keys whose vectors cannot be multiplied with those of the queries."""
    require(query_shape[-1] == key_shape[-1], "key", f"as deep as the query, {query_shape[-1]}", key_shape[-1])


@keras.saving.register_keras_serializable("keras_course")
class DotProductAttention(Attention):
    """Scores are dot products of query and key, divided by the root of their depth if `scale`.

    Vaswani et al. (2017), section 3.2.1; without `scale`, "dot" of Luong et al. (2015), section 3.1.
    """

    def __init__(self, scale: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        arguments.flags(scale=scale)
        self.scale = scale

    def build(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> None:
        require_equal_depth(query_shape, key_shape or value_shape)

    def scores(self, query: Any, key: Any) -> Any:
        # q · k / sqrt(depth): the variance of a dot product of unit normals is their depth
        scale = math.sqrt(query.shape[-1]) if self.scale else 1.0
        return ops.matmul(query / scale, ops.swapaxes(key, -1, -2))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable("keras_course")
class CosineAttention(Attention):
    """Scores are cosines of the angle between query and key, times a learned strength that starts at `strength`.

    Cosines lie in [-1, 1], so without a strength above 1 the softmax stays almost flat.

    Graves, Wayne, Danihelka (2014), "Neural Turing Machines", section 3.3.1.
    """

    def __init__(self, strength: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        valid = type(strength) in (int, float) and 0 < strength < math.inf
        require(valid, "strength", "a number above 0", strength)
        self.strength = strength

    def build(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> None:
        require_equal_depth(query_shape, key_shape or value_shape)
        start = keras.initializers.Constant(self.strength)
        self.beta = self.add_weight(shape=(), initializer=start, name="beta")

    def scores(self, query: Any, key: Any) -> Any:
        # beta * q · k / (|q| |k|)
        query, key = ops.normalize(query, axis=-1), ops.normalize(key, axis=-1)
        return self.beta * ops.matmul(query, ops.swapaxes(key, -1, -2))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strength": self.strength}


@keras.saving.register_keras_serializable("keras_course")
class AdditiveAttention(Attention):
    """Scores come from a network with one hidden layer of `units`; query and key may differ in depth.

    Bahdanau, Cho, Bengio (2015), section 3.1 and appendix A.1.2.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        arguments.whole_numbers(units=units)
        self.units = units

    def build(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> None:
        key_depth = (key_shape or value_shape)[-1]
        self.w = self.add_weight(shape=(query_shape[-1], self.units), initializer="glorot_uniform", name="w")
        self.u = self.add_weight(shape=(key_depth, self.units), initializer="glorot_uniform", name="u")
        self.v = self.add_weight(shape=(self.units, 1), initializer="glorot_uniform", name="v")

    def scores(self, query: Any, key: Any) -> Any:
        # v · tanh(W q + U k)
        query = ops.expand_dims(ops.matmul(query, self.w), 2)  # (batch, queries, 1, units)
        key = ops.expand_dims(ops.matmul(key, self.u), 1)  # (batch, 1, keys, units)
        return ops.squeeze(ops.matmul(ops.tanh(query + key), self.v), -1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("keras_course")
class MultiHeadAttention(DotProductAttention):
    """Scaled dot-product attention in `num_heads` learned projections at once, joined by one more.

    The output is as deep as the query; the attention weights are (batch, num_heads, queries, keys). Weights come in
    the order and shapes of `keras.layers.MultiHeadAttention`: query, key, value, output, each kernel and bias.

    Vaswani et al. (2017), section 3.2.2.
    """

    def __init__(self, num_heads: int, key_dim: int, *, value_dim: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        arguments.whole_numbers(num_heads=num_heads, key_dim=key_dim, value_dim=value_dim or key_dim)
        self.num_heads, self.key_dim, self.value_dim = num_heads, key_dim, value_dim

    def build(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> None:
        value_dim = self.value_dim or self.key_dim
        self.to_query = self.projection(query_shape, self.key_dim, name="query")
        self.to_key = self.projection(key_shape or value_shape, self.key_dim, name="key")
        self.to_value = self.projection(value_shape, value_dim, name="value")
        self.join = keras.layers.EinsumDense(
            "bthv,hvd->btd", (None, query_shape[-1]), bias_axes="d", dtype=self.dtype_policy, name="join"
        )
        self.join.build((*query_shape[:-1], self.num_heads, value_dim))

    def projection(self, shape: tuple, depth: int, *, name: str) -> keras.layers.EinsumDense:
        """(batch, length, …) -> (batch, length, num_heads, depth), one matrix for each head."""
        layer = keras.layers.EinsumDense(
            "btd,dhk->bthk", (None, self.num_heads, depth), bias_axes="hk", dtype=self.dtype_policy, name=name
        )
        layer.supports_masking = True  # it works place by place; else Keras warns of a mask that was lost here
        layer.build(shape)
        return layer

    def attend(self, query: Any, value: Any, key: Any, allowed: Any) -> tuple[Any, Any]:
        pairs = ((self.to_query, query), (self.to_value, value), (self.to_key, key))
        query, value, key = (ops.swapaxes(project(x), 1, 2) for project, x in pairs)  # (batch, head, length, depth)
        output, weights = super().attend(query, value, key, ops.expand_dims(allowed, 1))  # the same in each head
        return self.join(ops.swapaxes(output, 1, 2)), weights

    def compute_output_shape(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> tuple:
        return tuple(query_shape)

    def get_config(self) -> dict[str, Any]:
        config = {"num_heads": self.num_heads, "key_dim": self.key_dim, "value_dim": self.value_dim}
        return {**super().get_config(), **config}
