"""The layers of a Keras model, as plain data."""

import inspect
from typing import Any

import keras


def layers_of(model: keras.Model | None) -> list[dict[str, Any]]:
    """Class, name, trainable flag, configuration, use and width of the output of each layer of a model, however deep.

    Inputs of models inside of a model whose own inputs are known are none. Of the others all are used but inputs of the
    model that lead to none of its outputs.
    """
    found, idle = [], _inputs_without_use(model)
    layers = list(model._flatten_layers(include_self=False)) if model is not None else []
    if hasattr(model, "inputs"):  # of a functional or sequential model
        models = [layer for layer in layers if isinstance(layer, keras.Model)]
        inside = {id(layer) for one in models for layer in one._flatten_layers(include_self=False)}
        layers = [x for x in layers if not (isinstance(x, keras.layers.InputLayer) and id(x) in inside)]
    for layer in layers:
        try:
            config = layer.get_config()
        except (NotImplementedError, TypeError, ValueError):
            config = {}
        if isinstance(own := config.get("activation"), dict):  # a function of TensorFlow, as tf.nn.softmax
            config = config | {"activation": str(own.get("config", "")).removesuffix("_v2")}
        said = {"class": type(layer).__name__, "name": layer.name, "trainable": layer.trainable, "config": config}
        found.append(said | {"used": layer.name not in idle, "width": _last_axis(layer)})
    return found


def as_in_evaluation(model: Any) -> dict[str, bool]:
    """By which argument a model, or a function in its place, is told that it is not trained: `training`, or what its
    `call` has for it, as `is_training`."""
    names = inspect.signature(getattr(model, "call", model)).parameters
    flags = [name for name, each in names.items() if isinstance(each.default, bool) or each.default is each.empty]
    own = next((name for name in flags if "train" in name.lower()), "training")
    return {"training" if "training" in names else own: False}


def _last_axis(layer: keras.layers.Layer) -> int | None:
    """The length of the last axis of what a layer of a functional model gives; None where it has no one output."""
    try:
        return layer.output.shape[-1]
    except (AttributeError, ValueError, IndexError):
        return None


def _inputs_without_use(model: keras.Model | None) -> set[str]:
    """Names of the inputs of a functional model that no layer and no operation on the way to its outputs takes."""
    if not isinstance(model, keras.Function):
        return set()
    nodes = [node for some in model._nodes_by_depth.values() for node in some]
    taken = {id(x) for node in nodes for x in node.input_tensors} | set(map(id, model.outputs))
    return {x._keras_history.operation.name for x in model.inputs if id(x) not in taken}
