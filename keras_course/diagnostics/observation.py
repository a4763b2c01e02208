"""What was seen of one training, as plain NumPy: all that the rules judge by, and all that TensorBoard shows.

A script may train several models; each has an `Observation` of its own. What could not be seen is None or empty, and a
rule that needs it stays silent. Nothing here knows TensorFlow, so a rule can be tested on an observation typed by hand.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(kw_only=True)
class Variable:
    """A trainable or frozen weight."""

    name: str  # its path in the Keras model, "dense/kernel", or what the script called it
    shape: tuple[int, ...]
    trainable: bool = True
    trained_before: bool = False  # by an earlier training of the script
    layer: str = ""  # the unit that uses it
    initial: np.ndarray | None = None  # its value before the first step, when it has at most a million entries
    final: np.ndarray | None = None  # and when last seen


@dataclasses.dataclass(kw_only=True)
class Unit:
    """One stage of the forward pass: a linear operation (dense, conv, ...) with what follows it up to the next one."""

    name: str  # the Keras layer, or the operation where there is no layer: "matmul at train.py:31"
    kind: str  # "dense", "conv", "recurrent", "embedding", "attention" or "other"
    activation: str = "linear"  # "relu", "sigmoid", "softmax", "tanh", ... of what leaves the unit
    normalised: bool = False  # batch or layer normalisation stands between this and the next linear operation
    variables: tuple[str, ...] = ()
    file: str = ""
    line: int = 0


@dataclasses.dataclass(kw_only=True)
class Probe:
    """What one sampled step showed. Arrays have one entry per unit, in the order of `Observation.units`."""

    step: int
    x: np.ndarray | None = None  # what entered the first linear operation: (batch, ...)
    y: np.ndarray | None = None  # the targets that the loss saw
    output: np.ndarray | None = None  # what the loss was given as prediction
    mean: np.ndarray | None = None  # of the activations
    spread: np.ndarray | None = None  # their standard deviation
    dead: np.ndarray | None = None  # share of output units of a ReLU that are 0 on the whole batch; NaN elsewhere
    saturated: np.ndarray | None = None  # share of sigmoid or tanh units flat on >= 95 % of the batch; NaN elsewhere
    gradient: np.ndarray | None = None  # root mean square of the loss's gradient by the activations
    noise: float | None = None  # standard deviation of noise added to the inputs, against that of the inputs


@dataclasses.dataclass(kw_only=True)
class Loss:
    """The loss function, as far as it could be recognised."""

    name: str = ""  # "sparse_categorical_crossentropy", "mean_squared_error", ..., "overlap" as Dice's; "" of another
    from_logits: bool | None = None
    delta: float = 1.0  # of Huber's: the difference from which on it is no square
    weighed: bool = False  # the script says what ones count against zeros, for all outputs or each of them
    several: bool = False  # two numbers or more are added up that hang on the targets
    climbed: bool = False  # it is the negative of what the script computes and climbs, as a likelihood
    offset: float = 0.0  # a number that the script adds to it, and that is not in what is observed
    regularised: bool = False


@dataclasses.dataclass(kw_only=True)
class Optimizer:
    name: str = ""  # "SGD", "Adam", ...; "" for updates by hand
    rate: float | None = None  # at the first step
    schedule: np.ndarray | None = None  # the rate at each planned step; where the script assigns it, at each step made
    later: float = 0.0  # the highest rate that the schedule has behind them
    momentum: float = 0.0
    clipped: bool = False
    decay: float = 0.0  # of the weights, by the optimizer itself, as AdamW has it


@dataclasses.dataclass(kw_only=True)
class Stage:
    """One transformation of a tf.data pipeline, from the source on."""

    kind: str  # "source", "shuffle", "batch", "repeat", "map", "cache", "prefetch", "zip", "take", ...
    detail: dict[str, Any] = dataclasses.field(default_factory=dict)  # buffer, reshuffle, size, random, legs, ...


@dataclasses.dataclass(kw_only=True)
class Data:
    """Rows of one split in the order of the source: at most `ROWS` of them, evenly spread over all `n`."""

    x: np.ndarray  # (rows, ...)
    y: np.ndarray | None = None
    n: int | None = None
    further: tuple[np.ndarray, ...] = ()  # the same rows of further inputs
    names: tuple[str, ...] = ()  # of all inputs, where the script gives them by name
    weight: np.ndarray | None = None  # how much each row counts, or each place of it
    others: tuple[np.ndarray, ...] = ()  # the targets of further outputs
    stored: np.ndarray | None = None  # the same rows as the source of a pipeline holds them, before its maps
    ROWS = 2048

    def take(self, rows: np.ndarray) -> "Data":
        """Some of these rows, by their numbers."""
        return dataclasses.replace(
            self,
            x=self.x[rows],
            y=None if self.y is None else self.y[rows],
            further=tuple(other[rows] for other in self.further),
            weight=None if self.weight is None else self.weight[rows],
            others=tuple(other[rows] for other in self.others),
            stored=None if self.stored is None else self.stored[rows],
        )


@dataclasses.dataclass(kw_only=True)
class Feed:
    """Rows that the script gave the model, at most `Data.ROWS` of them.

    further, names: as of `Data`. labels: what it holds beside them and may be their labels, by its names. name: of the
    rows; "" without.
    training: what the model was told of the mode. again: how often it was given what it had been given
    before, with no step between. reordered: its rows come in another order with each pass, and predictions were asked
    for, which have no labels beside them.
    """

    x: np.ndarray  # (rows, ...)
    further: tuple[np.ndarray, ...] = ()
    names: tuple[str, ...] = ()
    labels: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    name: str = ""
    training: bool | None = None
    again: int = 0
    reordered: bool = False


@dataclasses.dataclass(kw_only=True)
class Steps:
    """What every step left: one row for each step that is kept (all of the first 128, then every tenth)."""

    all_losses: np.ndarray  # (steps,) of every step, the last 20,000 of them
    count: int  # how many steps there were
    index: np.ndarray  # (s,) which step, from 0
    loss: np.ndarray  # (s,)
    gradient: np.ndarray  # (s, v) norm of the gradient by each variable; NaN when it has none
    weight: np.ndarray  # (s, v) norm of each variable before the step
    update: np.ndarray  # (s, v) norm of what the step changed it by; NaN where the next step did not come
    aligned: np.ndarray  # (s, v) cosine of that change with the gradient: downhill is negative
    rate: np.ndarray | None = None  # (s,) learning rate of the optimizer; NaN where it is no variable

    @property
    def uphill(self) -> np.ndarray:
        """(s,) the inner product of each step with the gradient, over all variables: downhill is negative."""
        return np.nansum(self.aligned * self.update * self.gradient, axis=1)

    @property
    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """(s,) the norm of each step and (s,) that of its gradient, over all variables."""
        update, gradient = (
            np.sqrt(np.nansum(np.square(part.astype("float64")), axis=1)) for part in (self.update, self.gradient)
        )
        return update, gradient

    @property
    def cosine(self) -> np.ndarray:
        """(s,) the cosine of each step with its gradient, over all variables: downhill is negative, -1 at the most."""
        update, gradient = self.sizes
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            return self.uphill / (update * gradient)

    @property
    def of_the_negative(self) -> "Steps":
        """The same steps by the negative of the loss: what went uphill goes downhill."""
        return dataclasses.replace(self, all_losses=-self.all_losses, loss=-self.loss, aligned=-self.aligned)

    def lowered(self, offset: float) -> "Steps":
        """The same steps by the loss less a number that is always added to it."""
        return dataclasses.replace(self, all_losses=self.all_losses - offset, loss=self.loss - offset)


@dataclasses.dataclass(kw_only=True)
class Plan:
    """What the script asked for."""

    epochs: int | None = None
    steps_per_epoch: int | None = None
    batch_size: int | None = None
    shuffle: bool | None = None
    validation_split: float = 0.0
    class_weight: dict[int, float] | None = None
    metrics: tuple[str, ...] = ()
    monitored: tuple[str, ...] = ()  # by callbacks such as EarlyStopping
    keeps_best: bool = False  # a callback restores or saves the weights of the epoch that validation calls best
    stops_at_better: str = ""  # what EarlyStopping monitors and takes for the better the worse it is
    slows_at_better: str = ""  # the same of ReduceLROnPlateau


@dataclasses.dataclass(kw_only=True)
class Observation:
    """One training.

    interface: "fit", "custom train_step" or "loop".
    head: the activation of the output, as in `Unit.activation`. classes: width of the output, 1 for a single unit.
    stream: the labels of successive batches as training saw them, from the first batch on.
    losses: of each output, where there are several: its name -> that of its loss. logits: those whose loss may take
    logits.
    fed: what a model is given in the steps of a loop. asked: what it is given outside of steps, for a prediction.
    entering: what further inputs bring to the units behind them, by the names of these; or by their width, where they
    are joined before they enter one.
    epochs: one dictionary for each, as `fit` logs them: {"loss": ..., "val_loss": ...}.
    experiments: what was tried on copies when there was suspicion: name -> number.
    compared: lines of the script that take n predictions and n labels together to n × n numbers, each with n.
    single: lines that take the largest of a single output.
    ones: lines that take the softmax of a single output. misnamed: lines that name classes by a sorted list, each with
    the list whose own order numbers them.
    decoded: lines that compare classes of which far more agree in another order of their names: with both shares.
    cuts: numbers at which the script itself cuts the outputs, each with its line.
    kept: lines of the script that give a dropout the share to keep, and not the one to drop.
    left_on: lines outside of its tapes that call a function of the script with its dropout on.
    by_class: the name by which the script measures each class by itself; "" without.
    scores: how well the network does by the script's own numbers: name -> share from 0 to 1.
    untaken: weights that were made trainable behind `compile`, of which the steps take no notice.
    untracked: the forms of kernels that a `fit` computes with and that are no weights of its model.
    refused: what a loss did not take, so that the script has failed: "shape" or "value" -> the same in words.
    """

    name: str
    interface: str = "loop"
    file: str = ""
    line: int = 0
    finished: bool = True
    alone: bool = True  # the script trains no other weights meanwhile
    variables: list[Variable] = dataclasses.field(default_factory=list)
    units: list[Unit] = dataclasses.field(default_factory=list)
    layers: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # class, name, config of each Keras layer
    head: str = ""
    classes: int | None = None
    loss: Loss = dataclasses.field(default_factory=Loss)
    losses: dict[str, str] = dataclasses.field(default_factory=dict)
    logits: set[str] = dataclasses.field(default_factory=set)
    optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)
    plan: Plan = dataclasses.field(default_factory=Plan)
    pipeline: list[Stage] | None = None
    validation_pipeline: list[Stage] | None = None
    train: Data | None = None
    validation: Data | None = None
    fed: list[Feed] = dataclasses.field(default_factory=list)
    asked: list[Feed] = dataclasses.field(default_factory=list)
    entering: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    stream: list[np.ndarray] = dataclasses.field(default_factory=list)
    steps: Steps | None = None
    probes: list[Probe] = dataclasses.field(default_factory=list)
    epochs: list[dict[str, float]] = dataclasses.field(default_factory=list)
    experiments: dict[str, float] = dataclasses.field(default_factory=dict)
    references: dict[str, float | None] = dataclasses.field(default_factory=dict)  # losses of simple models, once found
    weights: dict[str, dict[int, float] | None] = dataclasses.field(default_factory=dict)  # of classes, once found
    compared: Sequence[tuple[int, int]] = dataclasses.field(default_factory=list)
    single: Sequence[int] = dataclasses.field(default_factory=list)
    ones: Sequence[int] = dataclasses.field(default_factory=list)
    misnamed: Sequence[tuple[int, str]] = dataclasses.field(default_factory=list)
    decoded: Sequence[tuple[int, float, float]] = dataclasses.field(default_factory=list)
    cuts: Sequence[tuple[float, int]] = dataclasses.field(default_factory=list)
    kept: Sequence[int] = dataclasses.field(default_factory=list)
    left_on: Sequence[int] = dataclasses.field(default_factory=list)
    by_class: str = ""
    scores: dict[str, float] = dataclasses.field(default_factory=dict)
    untaken: Sequence[str] = dataclasses.field(default_factory=list)
    untracked: Sequence[tuple[int, ...]] = dataclasses.field(default_factory=list)
    refused: dict[str, str] = dataclasses.field(default_factory=dict)
    unseen: list[str] = dataclasses.field(default_factory=list)  # sentences: what was not watched, and why


EXACT_ACCURACY = "exact_accuracy"  # `keras.metrics.Accuracy`: of outputs that equal the target
IN_ORDER = "name predictions by the list, in its order, that labels were numbered by"
DECIDED = " of decisions"  # behind the name of an accuracy that takes the largest output, and is given one number a row
OF_THE_BEST = " of the best "  # before a number, in the name of an accuracy that takes so many outputs for right
SWAPPED = " the wrong way round"  # behind the name of a metric that takes labels for outputs, and outputs for labels
UNDECIDED = " of no class numbers"  # behind the name of a metric that takes these, and is given what lies between them
LEFT_OVER = 0.3  # confidence of what is named only where nothing else is


@dataclasses.dataclass(kw_only=True)
class Finding:
    """A cause or a note, with its evidence.

    kind: "named" for a cause, "note" for what is odd and does no harm that could be shown.
    confidence: 0 to 1; "certain" faults, logical impossibilities, have 1.
    tag: the TensorBoard tag of the evidence.
    """

    cause: str  # a label of `causes.CAUSES`
    kind: str = "named"
    confidence: float = 0.5
    evidence: str = ""  # one sentence with the number against its threshold
    layer: str = ""
    step: int | None = None
    tag: str = ""
    repair: str = ""
    file: str = ""
    line: int = 0
    confirmed: bool | None = None
    certain: bool = False  # needs no harm to be named
    follows: str = ""  # the cause whose symptom it is

    @property
    def rank(self) -> tuple[bool, float]:
        """Its place by: what a trial did not confirm stands behind, unless it is certain; then by confidence."""
        return self.confirmed is False and not self.certain, -self.confidence

    @property
    def said(self) -> str:
        """The evidence as it is shown."""
        return f"{self.evidence} (follows from {self.follows})" if self.follows else self.evidence
