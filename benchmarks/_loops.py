"""What each way to run the same steps brings: XLA, unrolled cells, hoisted projections, a fused Adam, step groups.

    python -m benchmarks._loops steps_lstm [ROUNDS]

Prints a table of Markdown. Each way has a process of its own, begins with the same weights and comes to the same loss.
"""

import importlib
import os
import sys
from pathlib import Path

from benchmarks import _steps
from keras_course.bench import Variant, Workload

NET = os.environ.get("KERAS_COURSE_NET", "steps_lstm")
ALL = 10**6  # steps in one graph call


def fused(variables):
    """Adam as one kernel of TensorFlow's for each weight: reads and writes each number once."""
    import tensorflow as tf

    moments = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in variables]
    powers = [tf.Variable(0.9), tf.Variable(0.999)]

    def apply(gradients):
        for v, (m, s), g in zip(variables, moments, gradients, strict=True):
            handles = (v.value.handle, m.handle, s.handle)
            tf.raw_ops.ResourceApplyAdam(
                var=handles[0], m=handles[1], v=handles[2], beta1_power=powers[0], beta2_power=powers[1],
                lr=_steps.RATE, beta1=0.9, beta2=0.999, epsilon=_steps.EPSILON, grad=g,
            )  # fmt: skip
        for power, beta in zip(powers, (0.9, 0.999), strict=True):
            power.assign(power * beta)

    return apply


def unrolled(model):
    """The same model with every time step of its recurrent layers written out in the graph."""
    import keras

    def clone(layer):
        return type(layer).from_config(layer.get_config() | {"unroll": True})

    recurrent = keras.layers.LSTM, keras.layers.GRU
    return keras.models.clone_model(model, clone_function=lambda x: clone(x) if isinstance(x, recurrent) else x)


def hoisted(model):
    """The same model with the inputs of all time steps projected by one matrix product in front of the loop."""
    import keras
    from keras import ops

    class Cell(keras.layers.Layer):
        """Maps projected inputs (batch, gates · units) and the states to the states."""

        def __init__(self, units, gates):
            super().__init__()
            self.units, self.gates = units, gates
            self.state_size = [units] * (2 if gates == 4 else 1)
            self.output_size = units

        def build(self, shape):
            self.kernel = self.add_weight(shape=(self.units, self.gates * self.units), name="recurrent_kernel")
            if self.gates == 3:
                self.bias = self.add_weight(shape=(self.gates * self.units,), name="recurrent_bias")

        def call(self, x, states, training=False):
            if self.gates == 4:
                h, c = states
                i, f, g, o = ops.split(x + ops.matmul(h, self.kernel), 4, axis=-1)
                c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
                h = ops.sigmoid(o) * ops.tanh(c)
                return h, [h, c]
            (h,) = states
            inside = ops.matmul(h, self.kernel) + self.bias
            (xz, xr, xn), (hz, hr, hn) = ops.split(x, 3, axis=-1), ops.split(inside, 3, axis=-1)
            z = ops.sigmoid(xz + hz)
            h = z * h + (1 - z) * ops.tanh(xn + ops.sigmoid(xr + hr) * hn)
            return h, [h]

    def layers(old):
        if not isinstance(old, keras.layers.LSTM | keras.layers.GRU):
            return [old]
        gates = 4 if isinstance(old, keras.layers.LSTM) else 3
        cell = Cell(old.units, gates)
        return [
            keras.layers.Dense(gates * old.units),
            keras.layers.RNN(cell, return_sequences=old.return_sequences),
        ]

    inputs = keras.Input(model.input_shape[1:], dtype="int32")
    return keras.Sequential([inputs, *(new for old in model.layers for new in layers(old))])


def way(change=None, *, xla=False, group=ALL, adam="keras"):
    """The steps of `training.fit` with one thing changed."""

    def prepare():
        from keras_course import data
        from keras_course.training.runners import FOREVER, runner
        from keras_course.training.steps import differentiated, update

        net = importlib.import_module(f"benchmarks.{NET}").NET
        if change:
            build = net.model
            object.__setattr__(net, "model", lambda: change(build()))
        model, optimizer = _steps.built(net)
        optimizer.build(model.trainable_variables)
        batches = data.Batches(*net.arrays(), batch_size=net.batch, shuffle=False)
        step = update(model, net.objective, optimizer)
        if adam == "fused":
            apply = fused(model.trainable_variables)

            def step(batch):
                values, gradients = differentiated(model, net.objective, optimizer, batch)
                apply(gradients)
                return values

        steps = runner(step, batches, xla=xla)

        def work():
            steps.begin(0)
            losses = []
            for start in range(0, len(batches), group):
                losses += steps.run(start, min(start + group, FOREVER))["loss"].tolist()
            return {"loss": sum(losses) / len(losses)}

        return work

    return prepare


WAYS = {
    "all steps in one graph call, Keras's Adam": way(),
    "one step a call": way(group=1),
    "4 steps a call": way(group=4),
    "fused Adam": way(adam="fused"),
    "XLA": way(xla=True),
    "fused Adam and XLA": way(adam="fused", xla=True),
}
if NET in ("steps_lstm", "steps_gru"):
    WAYS |= {
        "projections hoisted": way(hoisted),
        "projections hoisted, fused Adam": way(hoisted, adam="fused"),
        "projections hoisted, XLA": way(hoisted, xla=True),
        "unrolled": way(unrolled),
    }
WORKLOAD = Workload(
    title=f"Ways to run the steps of {NET}.",
    variants={label: Variant(prepare=prepare) for label, prepare in WAYS.items()},
    tolerance=1e-3,
)


def main():
    from keras_course.bench import harness, report

    os.environ["KERAS_COURSE_NET"] = sys.argv[1]
    measured = harness.measure(Path(__file__), rounds=int(sys.argv[2]) if len(sys.argv) > 2 else 5)
    print(f"{sys.argv[1]}: programs of others kept {measured['others'] or 0:.1f} cores busy\n")
    print(report.markdown(report.rows(measured)))


if __name__ == "__main__":
    main()
