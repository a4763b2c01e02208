"""Observations typed by hand: what a training on given data would have shown."""

from keras_course.diagnostics.observation import (
    Data,
    Feed,
    Loss,
    Observation,
    Optimizer,
    Plan,
    Probe,
    Steps,
    Unit,
    Variable,
)

import numpy as np

RNG = np.random.default_rng(0)
CROSS, SPARSE = "categorical_crossentropy", "sparse_categorical_crossentropy"
BINARY, SQUARED = "binary_crossentropy", "mean_squared_error"


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype("float32")


def steps(losses, weights=1.0):
    losses = np.asarray(losses, "float32")
    table = np.full((len(losses), 1), weights, "float32")
    return Steps(
        all_losses=losses,
        count=len(losses),
        index=np.arange(len(losses)),
        loss=losses,
        gradient=table,
        weight=table,
        update=table / 100,
        aligned=-table,
    )


def with_targets(loss, y, losses=(1.0,), x=None, **more):
    """A training on these targets, of which nothing else is known."""
    x = np.zeros((len(y), 2)) if x is None else x
    return Observation(name="m", loss=Loss(name=loss), train=Data(x=x, y=y, n=len(y)), steps=steps(losses), **more)


def training(
    x,
    y,
    *,
    loss=SPARSE,
    head="linear",
    logits=None,
    classes=10,
    output=None,
    batch=32,
    shuffle=True,
    stored=True,
    losses=(2.0, 1.0, 0.5),
    entering=None,
    kind="dense",
    looks=24,
    **more,
):
    """A training on rows of (x, y): `output(rows)` is what the network gives for rows, `entering` what enters it."""
    order = np.random.default_rng(1).permutation(len(x)) if shuffle else np.arange(len(x))
    entering = x if entering is None else entering
    probes = []
    for step in range(looks):
        rows = np.take(order, range(step * batch, (step + 1) * batch), mode="wrap")
        given = output(rows) if output else RNG.normal(size=(len(rows), classes)).astype("float32")
        few = rows[:64]
        probes.append(Probe(step=step, x=entering[few], y=None if y is None else y[rows], output=given))
    named = {"name": "m", "interface": "fit", "head": head, "classes": classes} | more
    return Observation(
        loss=Loss(name=loss, from_logits=loss.endswith("entropy") and head == "linear" if logits is None else logits),
        units=[Unit(name="dense", kind=kind)],
        train=Data(x=x, y=y, n=len(x)) if stored else None,
        probes=probes,
        stream=[] if y is None else [probe.y for probe in probes],
        steps=steps(losses),
        **({"plan": Plan(epochs=5, batch_size=batch), "optimizer": Optimizer(name="Adam", rate=0.001)} | named),
    )


def asked(x, y, train, *feeds, **more):
    """A training without validation, whose script asks about feeds: (rows, name) or (rows, name, labels)."""
    seen = training(x[train], y[train], **more)
    seen.asked = [Feed(x=rows, name=name, labels=dict(enumerate(labels))) for rows, name, *labels in feeds]
    return seen


def net(*spreads, activation="relu", width=40, final=None, normalised=False, trainable=True, **more):
    """Dense layers a, b, ... whose first weights have these spreads against He's; the last one is the head."""
    units, variables = [], []
    for i, spread in enumerate(spreads):
        name, head = "abcdefgh"[i], i == len(spreads) - 1
        first = (RNG.normal(size=(width, width)) * spread * np.sqrt(2 / width)).astype("float32")
        last = first + 0.01 * RNG.normal(size=first.shape) if final is None else final(first)
        variables.append(
            Variable(name=f"{name}/kernel", shape=first.shape, layer=name, initial=first, final=last,
                     trainable=trainable if isinstance(trainable, bool) else name in trainable)
        )  # fmt: skip
        units.append(
            Unit(name=name, kind="dense", activation="linear" if head else activation, variables=(f"{name}/kernel",),
                 normalised=normalised)
        )  # fmt: skip
    return Observation(name="m", units=units, variables=variables, **more)


def walked(rows=12, v=2, *, update=0.1, gradient=1.0, aligned=-1.0, losses=None):
    """Steps of `v` variables; what is given may be a number or one for each variable."""
    made = steps(np.linspace(2, 1, rows) if losses is None else losses)
    for name, value in (("update", update), ("gradient", gradient), ("aligned", aligned)):
        table = np.tile(np.broadcast_to(np.float64(value), (v,)), (rows, 1))
        setattr(made, name, table)
    made.update[-1] = made.aligned[-1] = np.nan  # what the last step changed nobody has seen
    made.weight = np.ones((rows, v))
    return made


def one(rows):
    """What a network of one output might say of rows."""
    return RNG.normal(size=(len(rows), 1)).astype("float32")


def only(rules, seen, cause):
    """The finding of the only cause that the rules name."""
    found = [finding for rule in rules.values() for finding in rule(seen) if finding.kind == "named"]
    assert [f.cause for f in found] == [cause]
    return found[0]


def marked(rules, rule, seen):
    """Causes that one rule finds, with "note: " before those that it only notes."""
    causes, notes = named({rule: rules[rule]}, seen)
    return causes | {f"note: {cause}" for cause in notes}


def named(rules, seen):
    """Causes that the rules name, and those they note."""
    found = [finding for rule in rules.values() for finding in rule(seen)]
    return {f.cause for f in found if f.kind == "named"}, {f.cause for f in found if f.kind == "note"}


def divided(x, y, train, validation, **more):
    seen = training(x[train], y[train], classes=int(np.max(y)) + 1 if y.dtype.kind == "i" else 1, **more)
    seen.validation = Data(x=x[validation], y=y[validation], n=len(y[validation]))
    return seen


def halves(n=1797, seed=0):
    order = np.random.default_rng(seed).permutation(n)
    return order[: 2 * n // 3], order[2 * n // 3 :]
