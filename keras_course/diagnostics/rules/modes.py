"""Rules on layers that train otherwise than they predict, and on penalties: rows 38 and 39 of the taxonomy."""

import dataclasses
from typing import Any

from keras_course.diagnostics.answers import own_averages
from keras_course.diagnostics.harm import blind_at_the_end, harm_of
from keras_course.diagnostics.held_out import held_out
from keras_course.diagnostics.losses import baseline_of, penalty_shares
from keras_course.diagnostics.observation import Finding, Observation
from keras_course.diagnostics.seen import kernels
from keras_course.diagnostics.statistics import keys

import numpy as np


def _of_class(seen: Observation, *names: str) -> list[dict]:
    return [layer for layer in seen.layers if layer["class"] in names]


def batchnorm_mode(seen: Observation) -> list[Finding]:
    """Batch normalisation trains with its moving averages, or evaluates with averages that have not arrived.

    Threshold: the training step reads moving averages that stay exactly at their first values: certain where these are
    0, with harm where they are of an earlier training; or the momentum of 0.99, Keras's own, or above leaves more than
    half of the first values in the averages at the end, 0.5 < momentum^steps, which is arithmetic, and the validation
    loss is half as large again as that of training, and no better than that of a constant; or with the averages, also
    with those that a layer of the script's own keeps, the last weights are no better than a constant on rows of the
    training, of which the steps had learned half and more (certain), or worse by a quarter of that where more than half
    of the first values is left; or more than half is left after 100 steps, and a moving mean is more than one spread
    from that of the batches, or a moving spread more than threefold another (certain, for whoever predicts with it).
    Must not trigger: a frozen, pretrained trunk, whose layers are not trainable, or that learns with its averages.
    Source: taxonomy row 38; Ioffe and Szegedy (2015), section 3.1.
    """
    layers = [layer for layer in _of_class(seen, "BatchNormalization") if layer["trainable"]]
    if seen.steps is None:
        return []
    if not layers:
        return _worse_in_evaluation(seen, own[0]) if (own := own_averages(seen)) else []
    averages = [v for v in seen.variables if v.name.endswith("moving_mean")]
    known = [(v, v.initial, v.final) for v in averages if v.initial is not None and v.final is not None]
    untouched = [v for v, first, last in known if not np.any(first) and not np.any(last)]
    if seen.experiments.get("moving") and untouched and seen.steps.count >= 20:
        return [
            Finding(
                cause="batchnorm_mode",
                confidence=0.95,
                certain=True,
                layer=untouched[0].name.rpartition("/")[0],
                step=0,
                evidence=f"the training step normalises with moving averages, and {untouched[0].name} is still 0 after "
                f"{seen.steps.count} steps: the model was not called with training=True",
                file=seen.file,
                line=seen.line,
            )
        ]
    kept = [v for v, first, last in known if np.any(first) and np.array_equal(first, last)]
    if seen.experiments.get("moving") and kept and len(kept) == len(known) and seen.steps.count >= 20:
        text = f"the training step normalises with averages of an earlier training: {kept[0].name} has not moved in "
        text += f"{seen.steps.count} steps, and its layer is trainable"
        layer = kept[0].name.rpartition("/")[0]
        return [Finding(cause="batchnorm_mode", confidence=0.7, layer=layer, step=0, evidence=text)]
    momentum = max(float(layer["config"].get("momentum", 0.99)) for layer in layers)
    left = momentum**seen.steps.count
    gap = seen.epochs and seen.epochs[-1].get("val_loss", 0) > 1.5 * seen.epochs[-1].get("loss", np.inf)
    best = baseline_of(seen)
    useless = best is None or (seen.epochs and seen.epochs[-1].get("val_loss", 0) > 0.9 * best)
    if left > 0.5 and momentum >= 0.99 and gap and useless:
        return [
            Finding(
                cause="batchnorm_mode",
                confidence=0.8,
                layer=layers[0]["name"],
                evidence=f"a momentum of {momentum} leaves {left:.0%} of the first values in the moving averages after "
                f"{seen.steps.count} steps, and the validation loss is {seen.epochs[-1]['val_loss']:.3g} against "
                f"{seen.epochs[-1]['loss']:.3g}",
            )
        ]
    if asked := _asked_in_training(seen, "BatchNormalization"):
        return asked
    if apart := _worse_in_evaluation(seen, layers[0]["name"]):
        return apart
    if far := [found for layer in layers if (found := _never_arrives(seen, layer))]:
        return far[:1]
    size = seen.plan.batch_size or (
        len(seen.probes[0].output) if seen.probes and seen.probes[0].output is not None else 99
    )
    if size < 4:
        text = f"batches of {size} examples are normalised by their own mean and spread"
        return [Finding(cause="batchnorm_mode", kind="note", confidence=0.4, layer=layers[0]["name"], evidence=text)]
    return []


def _worse_in_evaluation(seen: Observation, layer: str) -> list[Finding]:
    """Rows of the training, which were learned by half at least, of which the last weights know nothing when they are
    normalised by the moving averages; or, where these cannot have arrived, less by a quarter of what was learned."""
    e, harm = seen.experiments, harm_of(seen)
    if harm.baseline is None or harm.end is None or harm.degree > 0.5 or "evaluated" not in e:
        return []
    momenta = [float(layer["config"].get("momentum", 0.99)) for layer in _of_class(seen, "BatchNormalization")]
    kept = max(momenta, default=0.0)  # of a normalisation of the script's own nobody knows
    arrived = seen.steps is None or kept**seen.steps.count < 0.5
    lost = 0.95 * harm.baseline if arrived else harm.end + 0.25 * (harm.baseline - harm.end)
    if not e["evaluated"] > lost:
        return []
    text = (
        f"with the moving averages the last weights have a loss of {e['evaluated']:.3g} on rows of the training, in "
        f"whose last steps it is {harm.end:.3g}; the best constant gives {harm.baseline:.3g}"
    )
    return [Finding(cause="batchnorm_mode", confidence=0.9, certain=True, layer=layer, evidence=text)]


def _never_arrives(seen: Observation, layer: dict) -> Finding | None:
    """A moving mean or spread far from that of the batches, when half and more of its first value is left.

    What was mixed in is known from what was there at first, the part of it that is left, and what is there now.
    """
    momentum, count = float(layer["config"].get("momentum", 0.99)), seen.steps.count if seen.steps is not None else 0
    left = momentum**count
    averages = {v.name.rpartition("/")[2]: v for v in seen.variables if v.name.split("/")[-2:-1] == [layer["name"]]}
    pair = [averages.get(f"moving_{kind}") for kind in ("mean", "variance")]
    known = [(v.initial, v.final) for v in pair if v is not None and v.initial is not None and v.final is not None]
    if not 0.5 < left < 1 or count < 100 or len(known) < 2:
        return None
    mean, variance = ((last - left * first) / (1 - left) for first, last in known)
    now, spread = known[0][1], np.sqrt(np.maximum(variance, 0))
    if np.any(spread < 1e-3):
        return None
    away, apart = np.abs(mean - now) / spread, np.abs(np.log(np.sqrt(known[1][1]) / spread))
    if np.max(away) > 1:
        worst = int(np.argmax(away))
        text = f"the mean is {now[worst]:.3g} where batches have {mean[worst]:.3g}, {away[worst]:.1f} spreads away"
    elif np.max(apart) > np.log(3):
        worst = int(np.argmax(apart))
        text = f"the variance is {known[1][1][worst]:.3g} where batches have {variance[worst]:.3g}"
    else:
        return None
    return Finding(
        cause="batchnorm_mode",
        confidence=0.85,
        certain=True,
        layer=layer["name"],
        evidence=f"a momentum of {momentum} leaves {left:.0%} of the first values in the moving averages after {count} "
        f"steps: {text}",
    )


KEEP_ALL = "rate=1 - keep_prob, and a rate of 0 in evaluation"
DROP_NOTHING = "a rate of 0, or to keep all, wherever nothing is trained"


def dropout_mode(seen: Observation) -> list[Finding]:
    """The model has dropout, and the training step draws nothing.

    Certain: no random operation is among those that the loss is computed from. With harm: uniform draws are among those
    that the prediction is computed from when the model is called with training=False; certain where these are those of
    a dropout, by the names of the operations, and it is asked about rows once each. With harm: the last layer of the
    network is a dropout, which spoils the prediction itself. Certain too: it is asked with training=True about rows
    that are held out; or a line of the script gives a dropout the share to keep, as TensorFlow 1 took it, or asks a
    function of the script outside of the steps with the dropout on that these have. Must not trigger: a rate of 0;
    questions that are asked several times, as in Monte Carlo dropout; a model none of whose dropout layers is
    trainable. Source: taxonomy row 39.
    """
    for lines, says, repair in (
        (seen.kept, "gives a dropout the share to keep, and it takes the share to drop", KEEP_ALL),
        (seen.left_on, "asks the network, outside of the steps, with the dropout on that it has in them", DROP_NOTHING),
    ):
        if lines:
            found = Finding(cause="dropout_mode", confidence=0.8, certain=True, evidence=f"line {lines[0]} {says}")
            return [dataclasses.replace(found, repair=repair, file=seen.file, line=lines[0])]
    if seen.experiments.get("draws_in_evaluation"):
        questions = [feed for feed in seen.asked if len(feed.x) >= 20]
        once = bool(questions) and all(feed.again < 2 for feed in questions)
        return [
            Finding(
                cause="dropout_mode",
                confidence=0.92,
                certain=once and seen.alone and seen.experiments.get("drops_in_evaluation", 0.0) > 0,
                step=0,
                evidence="the model draws random numbers with training=False too: dropout is on in evaluation",
                file=seen.file,
                line=seen.line,
            )
        ]
    if asked := _asked_in_training(seen, "Dropout"):
        return asked
    behind = [layer for layer in seen.layers[1:] if layer["class"] not in ("InputLayer", "Activation", "Softmax")]
    last = behind[-1] if behind and "Dropout" in behind[-1]["class"] else None
    share = float(last["config"].get("rate") or 0) if last else 0.0
    if last and share and seen.experiments.get("draws") and not seen.head:
        text, cause, name = (
            f"{last['name']} drops {share:.0%} of the predictions themselves",
            "dropout_mode",
            last["name"],
        )
        return [Finding(cause=cause, confidence=0.93, layer=name, evidence=text, file=seen.file, line=seen.line)]
    rates = {
        layer["name"]: float(layer["config"].get("rate") or 0)
        for layer in seen.layers
        if "Dropout" in layer["class"] and layer["trainable"]  # a frozen teacher is called as it will be used
    }
    active = [name for name, rate in rates.items() if rate > 0]
    if not active or "draws" not in seen.experiments or seen.experiments["draws"]:
        return []
    return [
        Finding(
            cause="dropout_mode",
            confidence=0.9,
            certain=True,
            layer=active[0],
            step=0,
            evidence=f"{active[0]} has a rate of {rates[active[0]]}, and the training step draws no random number: the "
            "model was not called with training=True",
            file=seen.file,
            line=seen.line,
        )
    ]


def _asked_in_training(seen: Observation, kind: str) -> list[Finding]:
    """The model is asked with training=True about rows that are not those of the training; of normalisation always."""
    layers = [
        layer
        for layer in seen.layers
        if kind in layer["class"] and layer["trainable"] and float(layer["config"].get("rate", 1) or 0) > 0
    ]
    asked = [feed for feed in seen.asked if len(feed.x) >= 20]
    off = [keys(feed.x) for feed in asked if feed.training is not True]
    on = [feed for feed in asked if feed.training is True and feed.again < 2]
    on = [feed for feed in on if not any(np.isin(keys(feed.x), each).any() for each in off)]  # nor is it compared
    enough = len(on) == len(asked) if kind != "Dropout" else bool(on)  # of averages one question may be about them
    if not layers or not asked or not seen.alone or not enough:
        return []
    if not held_out(dataclasses.replace(seen, asked=on)):
        return []
    rows = sum(len(feed.x) for feed in on)
    text = f"the model is asked about {rows} rows outside of training with training=True"
    cause = "dropout_mode" if kind == "Dropout" else "batchnorm_mode"
    return [Finding(cause=cause, confidence=0.9, certain=True, layer=layers[0]["name"], evidence=text)]


LEFT = 0.05  # by all layers of dropout together; two of one half leave 0.25
DECAY = 0.5  # of the weights, as AdamW has it


def overwhelming_penalty(seen: Observation) -> list[Finding]:
    """The penalty on the weights outweighs the loss on the data.

    Threshold: the penalty is more than half of the first loss, or a fifth of the last one where the rest is more than a
    constant costs, or it falls from a fifth to less than a hundredth of it, as a divergence that leaves the latent
    variables nothing to say, or every kernel, of 8 weights at least, or every table where there is nothing else, has
    shrunk below a tenth of its first norm, or what has a penalty that was a tenth of the loss has shrunk below half, or
    dropout takes four fifths of a layer or more, or leaves a twentieth by several layers, or the divergence from a
    prior that the epochs report ends below 0.05 and a thousandth of the largest other loss: the latent variables say
    nothing of the input; or those that say where to draw from give the prior for all of it; or the optimizer decays the
    weights by 0.5 and more. Each is named only where the training is harmed.
    Must not trigger: the weight decay that keeps a trained net small (a few per cent of the loss).
    Source: taxonomy row 39; AutoTrainer's and TheDeepChecker's regularisation rules; Bowman et al. (2016), section 3.1.
    """
    first = seen.steps.all_losses[0] if seen.steps is not None and len(seen.steps.all_losses) else np.nan
    penalty = seen.experiments.get("penalty_start", 0.0)
    shares = penalty_shares(seen)
    if not seen.loss.regularised and (len(shares) < 12 or blind_at_the_end(seen)):
        shares = []  # a second loss does not move either in few steps, or of a prediction that is constant
    matrices = [k for _, k in kernels(seen)] or [v for v in seen.variables if len(v.shape) > 1 and seen.units]
    shrunk = [
        float(np.linalg.norm(k.final)) / max(float(np.linalg.norm(k.initial)), 1e-12)
        for k in matrices
        if k.trainable and k.initial is not None and k.final is not None and np.any(k.initial) and k.initial.size >= 8
    ]
    silent = {u.name for i, u in enumerate(seen.units) if seen.probes and _share(seen.probes[-1].dead, i) > 0.5}
    penalised = next(
        (y["name"] for y in seen.layers if y["config"].get("activity_regularizer") and y["name"] in silent), ""
    )
    # what is to be kept, and is dropped, is another cause
    rates = [float(layer["config"].get("rate") or 0) for layer in _of_class(seen, "Dropout") if not seen.kept]
    rate, left, repair = max(rates, default=0.0), float(np.prod([1 - rate for rate in rates])), ""
    sure = 0.93 if penalised else 0.92
    if penalty > 0.5 * first > 0 or (seen.loss.regularised and shares and shares[0] > 0.5):
        penalty = max(penalty, first * shares[0] if shares else 0.0)
        text = f"the penalty is {penalty:.3g} of a first loss of {first:.3g} (more than half)"
    elif len(shares) >= 3 and min(shares[-3:]) > 0.5:
        text = f"{min(shares[-3:]):.0%} of the loss at the end is none of the data (more than half)"
    elif len(shares) >= 3 and min(shares[-3:]) > 0.2 and _worse_than_a_constant(seen, 1 - min(shares[-3:])):
        text = f"{min(shares[-3:]):.0%} of the loss at the end is none of the data, and the rest is above a constant's"
    elif seen.loss.regularised and len(shares) >= 8 and np.median(shares[:4]) > 0.2 and max(shares[-3:]) < 0.01:
        text = f"what is added to the loss of the data was {np.median(shares[:4]):.0%} of it at first and is less than "
        text += "1% at the end: it has been driven out"
    elif shrunk and max(shrunk) < 0.1:
        text = f"every weight matrix has shrunk to {max(shrunk):.2g} of its first norm or less (below 0.1)"
    elif weighed := _shrunk_by_its_penalty(seen, penalty, first):
        text, sure = weighed, 0.7
    elif penalised:
        text = f"{penalised} has a penalty on its activity, and more than half of its units are silent"
    elif rate >= 0.8:
        text = f"dropout takes away {rate:.0%} of a layer's outputs (80 % and more)"
        repair = "a rate of 0.1 to 0.5"
    elif left < LEFT:
        text = f"{len(rates)} layers of dropout leave {left:.1%} of the outputs of all of them, one behind the other"
        repair = "fewer of them, or lower rates"
    elif seen.optimizer.decay >= DECAY:
        text = f"the optimizer takes {seen.optimizer.decay:g} times the rate off every weight in each step (usual: .01)"
        repair = "a weight decay of about 0.01"
    elif prior := _collapsed(seen) or _latent_without_a_word(seen):
        text = prior
    elif bought := _dearly_bought(seen):
        text, sure = bought, 0.7
    else:
        return []
    return [
        Finding(
            cause="regularisation_overwhelms",
            confidence=sure,
            layer=penalised or _most_penalised(seen),
            tag="loss",
            step=0,
            evidence=text,
            repair=repair,
        )
    ]


def _shrunk_by_its_penalty(seen: Observation, penalty: float, first: float) -> str:
    """In words, that the weights with a penalty, which was a tenth of the first loss, have lost half of their norm; ""
    otherwise. In a network that learns they grow against it."""
    weighed = {layer["name"] for layer in seen.layers if _regulariser(layer)}
    ratios = [
        float(np.linalg.norm(v.final) / np.linalg.norm(v.initial))
        for v in seen.variables
        if v.layer.rpartition("/")[2] in weighed and v.trainable and len(v.shape) > 1
        if v.initial is not None and v.final is not None and np.any(v.initial)
    ]
    if not ratios or not max(ratios) < 0.5 or not penalty > 0.1 * first > 0:
        return ""
    return (
        f"the weights that have a penalty, which was {penalty / first:.0%} of the first loss, have shrunk to "
        f"{max(ratios):.2g} of their first norm (below 0.5)"
    )


def _worse_than_a_constant(seen: Observation, share: float) -> bool:
    """Whether that share of the last loss, which is of the data, is more than the best constant costs."""
    harm = harm_of(seen)
    return harm.baseline is not None and harm.end is not None and share * harm.end > harm.baseline


def _collapsed(seen: Observation) -> str:
    """In words, a divergence from the prior that has vanished beside the other losses; "" without."""
    last = {name: abs(value) for name, value in (seen.epochs[-1] if seen.epochs else {}).items() if "val_" not in name}
    name = next((name for name in last if "kl" in name.lower().split("_")), "")
    most = max([value for other, value in last.items() if other != name], default=0.0)
    if not name or last[name] > min(0.05, 1e-3 * most):
        return ""
    return f"{name}, the divergence from the prior, ends at {last[name]:.2g} beside a loss of {most:.3g} (below .001)"


def _latent_without_a_word(seen: Observation) -> str:
    """In words, two layers of one width side by side, as of a mean and a deviation that are drawn with, which have come
    to give the prior whatever enters; "" without.

    The mean: 0 within .05, with a spread below .15, which is a hundredth of the noise. The deviation or the logarithm
    of its square: 1 or 0 within .1, with a spread below .05.
    """
    last = seen.probes[-1] if seen.probes else None
    if not seen.experiments.get("sampled") or last is None or last.mean is None or last.spread is None:
        return ""
    shape = {unit.name: kernel.shape for unit, kernel in kernels(seen)}
    middle = abs(last.mean) < 0.05
    means, fixed = middle & (last.spread < 0.15), np.minimum(abs(last.mean), abs(last.mean - 1)) < 0.1
    fixed &= last.spread < 0.05
    for i in range(min(len(seen.units), len(last.mean)) - 2):
        one, other = seen.units[i : i + 2]
        alike = one.activation == other.activation == "linear" and shape.get(one.name) == shape.get(other.name, ())
        if alike and ((means[i] and fixed[i + 1]) or (fixed[i] and means[i + 1])):
            return f"{one.name} and {other.name}, which say where to draw from, say the same for every input in the end"
    return ""


def _dearly_bought(seen: Observation) -> str:
    """In words, that what latent variables say costs as much by the divergence from their prior as it gains, also for
    eight examples that are learned by heart: saying nothing would be as good; "" otherwise."""
    harm, left = harm_of(seen), seen.experiments.get("few_end", 0.0)
    if not seen.experiments.get("sampled") or harm.baseline is None or harm.end is None or harm.diverged:
        return ""
    if not harm.end > 0.95 * harm.baseline or not left > 0.8 * harm.baseline:
        return ""
    return (
        f"with the divergence of the latent variables from their prior the loss ends at {harm.end:.3g}, where a "
        f"constant that says nothing costs {harm.baseline:.3g}, and eight examples learned by heart cost {left:.3g}"
    )


def _most_penalised(seen: Observation) -> str:
    """The layer with the strongest penalty on its weights; "" without one."""
    found = []
    for layer in seen.layers:
        penalty = _regulariser(layer)
        settings = penalty.get("config", {}) if isinstance(penalty, dict) else {}
        strength = max(float(settings.get(kind) or 0) for kind in ("l1", "l2"))
        found += [(strength, layer["name"])] if strength else []
    return max(found, key=lambda pair: pair[0], default=(0.0, ""))[1]


def _regulariser(layer: dict[str, Any]) -> Any:
    """The penalty on the weights of a layer, as its configuration has it."""
    return layer["config"].get("kernel_regularizer") or layer["config"].get("embeddings_regularizer")


def _share(shares: np.ndarray | None, i: int) -> float:
    return float(shares[i]) if shares is not None and i < len(shares) else 0.0


RULES = {
    "batchnorm_mode": batchnorm_mode,
    "dropout_mode": dropout_mode,
    "regularisation_overwhelms": overwhelming_penalty,
}
