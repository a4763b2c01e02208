"""Small trainings under a watch, for the tests of what watches them."""

from keras_course.diagnostics.hooks import watching

import keras
import numpy as np
import tensorflow as tf

X = np.random.default_rng(0).normal(size=(60, 5)).astype("float32")
Y = (X[:, 0] + 0.5 * X[:, 1] > 0).astype("int32") + (X[:, 2] > 1).astype("int32")  # three classes
LATER, ANSWERS = 10 + X[:40], Y[:40]  # rows that are asked about, and their labels


def network(*layers, inputs=5):
    return keras.Sequential([keras.Input((inputs,)), *layers])


def mlp(activation="relu"):
    return network(keras.layers.Dense(7, activation, name="hidden"), keras.layers.Dense(3, name="head"))


def crossentropy(model, x, y):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=model(x, training=True)))


def loop(loss, variables, *, steps=4, rate=0.1, graph=True, x=X, y=Y, batch=10):
    """Plain gradient descent on `loss(x, y)` over successive batches."""

    def step(a, b):
        with tf.GradientTape() as tape:
            value = loss(a, b)
        for v, g in zip(variables, tape.gradient(value, variables), strict=True):
            v.assign_sub(rate * tf.convert_to_tensor(g))
        return value

    run = tf.function(step) if graph else step
    for i in range(steps):
        rows = np.arange(i * batch, (i + 1) * batch) % len(x)
        run(tf.constant(x[rows]), tf.constant(y[rows]))


def watched(train):
    """The trainings that a function of no argument does."""
    with watching() as monitor:
        train()
    return monitor.trainings


def forward_of(layers, *, graph=True, loss=crossentropy, y=Y, x=X):
    """How one step over a network of these layers is read; `loss` maps (model, x, y) to it."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers])
    variables = [v.value for v in model.trainable_variables]
    (training,) = watched(lambda: loop(lambda a, b: loss(model, a, b), variables, graph=graph, steps=1, x=x, y=y))
    assert not training.unseen
    return training.forward


def given(script):
    """What the model of a script was given in steps, and outside of them."""
    model = mlp()
    with watching() as monitor:
        script(model)
    return monitor.feeds.of(model)
