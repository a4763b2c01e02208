"""The causes that can be named, what each means, how it is repaired, and which others are only its symptoms."""

from typing import NamedTuple


class Cause(NamedTuple):
    """number: of the row in the taxonomy. what: completes "the network does not train because ...".
    repair: what to write instead. explains: causes that are its symptoms, which are not named beside it.
    """

    number: int
    what: str
    repair: str
    explains: tuple[str, ...] = ()


DYNAMICS = ("exploding_gradient", "vanishing_gradient", "dead_units", "saturated_units", "oscillation")
CURVES = ("underfitting_capacity", "too_few_steps", "overfitting", "loss_metric_inconsistent")
RATE = ("learning_rate_too_high", "learning_rate_too_low")
BY_ORDER = ("oscillation", "dead_units", "class_imbalance", "wrong_metric")  # of batches of one class after the other
UNTAUGHT = (*CURVES, "class_imbalance")  # of a network whose steps teach it nothing
CONSTANT = ("input_ignored", "vanishing_gradient", *UNTAUGHT)

CAUSES: dict[str, Cause] = {
    "softmax_on_single_unit": Cause(
        1,
        "softmax over one unit is 1 whatever the input",
        "Dense(1, activation='sigmoid'), or Dense(1) with BinaryCrossentropy(from_logits=True)",
        (
            *CONSTANT,
            *RATE,
            "wrong_head_for_labels",
            "output_range_cannot_reach_targets",
            "loss_metric_inconsistent",
            "regularisation_overwhelms",  # nothing else moves the weights
        ),
    ),
    "logits_to_probability_loss": Cause(
        2,
        "the loss expects probabilities and gets logits",
        "from_logits=True in the loss, or softmax (sigmoid for one unit) on the output",
        (*DYNAMICS, *CURVES, *RATE, "input_ignored", "gradient_sign_flipped"),
    ),
    "probabilities_to_logits_loss": Cause(
        3,
        "the loss expects logits and gets probabilities, so softmax is applied twice",
        "no activation on the output, or a loss that takes probabilities",
        (*CONSTANT, "learning_rate_too_low", "saturated_units", "init_scale"),
    ),
    "wrong_head_for_labels": Cause(
        4,
        "the output layer and the loss do not fit the form of the labels",
        "integer labels: SparseCategoricalCrossentropy; one-hot: CategoricalCrossentropy; Dense(classes) for both",
        (*DYNAMICS, *CONSTANT, *RATE, "wrong_loss_for_task", "logits_to_probability_loss"),
    ),
    "output_range_cannot_reach_targets": Cause(
        5,
        "the output's activation cannot reach the targets",
        "a linear output, or targets scaled into the range of the activation",
        (*CONSTANT, *RATE, "targets_not_scaled", "saturated_units", "dead_units"),
    ),
    "wrong_loss_for_task": Cause(
        6,
        "the loss is for another kind of target",
        "mean squared error for real targets, a cross-entropy for classes",
        (*CONSTANT, *RATE, "wrong_head_for_labels", "output_range_cannot_reach_targets", "logits_to_probability_loss"),
    ),
    "wrong_metric": Cause(
        7,
        "the metric does not measure what is trained",
        "MeanAbsoluteError for real targets; a threshold of 0 on logits",
        ("loss_metric_inconsistent",),
    ),
    "label_encoding": Cause(
        8,
        "labels are not what the loss takes for labels",
        "integers 0 to classes-1, each class from 0 on",
        (
            *DYNAMICS,
            *CONSTANT,
            *RATE,
            "nan_or_inf_in_data",
            "gradient_sign_flipped",
            "validation_split_sorted",
            "wrong_loss_for_task",
            "output_range_cannot_reach_targets",
            "logits_to_probability_loss",
        ),
    ),
    "constant_labels": Cause(
        9,
        "all labels are the same",
        "look at what the labels are read from",
        (*CONSTANT, "missing_class", "validation_split_sorted", "train_val_preprocessing_mismatch"),
    ),
    "missing_class": Cause(
        9, "a class of the output never occurs", "check the labels, or a narrower output", ("overfitting",)
    ),
    "class_imbalance": Cause(
        10,
        "rare classes are drowned by frequent ones",
        "class_weight, resampling, or a metric that sees every class",
        (*CURVES, "input_ignored"),
    ),
    "inputs_not_scaled": Cause(
        11,
        "the inputs are far from a scale of 1",
        "keras.layers.Rescaling or Normalization in front, or (x - mean) / std of the training split",
        (*DYNAMICS, *CURVES, *RATE, "init_scale", "input_ignored", "regularisation_overwhelms"),
    ),
    "inputs_scaled_twice": Cause(
        12,
        "the inputs were scaled more than once",
        "divide by 255 once",
        (
            *CONSTANT,
            "learning_rate_too_low",
            "init_scale",
            "dead_units",
            "inputs_not_scaled",
            "inputs_drowned_in_noise",
            "regularisation_overwhelms",
        ),
    ),
    "targets_not_scaled": Cause(
        13,
        "the targets are too large for the output to get there",
        "standardise the targets, and undo it in the predictions",
        (*DYNAMICS, *CURVES, *RATE, "input_ignored"),
    ),
    "nan_or_inf_in_data": Cause(
        14,
        "the data hold NaN or infinite values",
        "remove or impute them: np.isfinite(x).all() must hold",
        (
            *DYNAMICS,
            *UNTAUGHT,
            *RATE,
            "input_ignored",
            "inputs_not_scaled",
            "targets_not_scaled",
            "train_val_preprocessing_mismatch",
            "frozen_or_disconnected",
        ),
    ),
    "labels_shuffled_apart": Cause(
        15,
        "inputs and labels were shuffled apart",
        "zip first, then shuffle; with arrays one permutation for both",
        (*DYNAMICS, *CURVES, "input_ignored", "data_sorted", "label_noise", *RATE),
    ),
    "data_sorted": Cause(
        16,
        "examples come sorted by label",
        "shuffle the whole set before batching",
        (*CURVES, *BY_ORDER, *RATE, "input_ignored", "shuffle_buffer_too_small", "pipeline_order", "batchnorm_mode"),
    ),
    "shuffle_buffer_too_small": Cause(
        17,
        "the shuffle buffer is small against a sorted source",
        "shuffle(buffer_size=number of examples)",
        (*CURVES, *BY_ORDER, "data_sorted", *RATE, "input_ignored", "batchnorm_mode"),
    ),
    "pipeline_order": Cause(
        18,
        "the stages of the input pipeline stand in an order that spoils the shuffle",
        "cache, shuffle, augment, batch, prefetch",
        (*CURVES, *BY_ORDER, "data_sorted", *RATE, "batchnorm_mode"),
    ),
    "validation_split_sorted": Cause(
        19,
        "training and validation hold other classes",
        "shuffle before splitting: validation_split takes the last rows",
        (
            "overfitting",
            "leakage_feature",
            "class_imbalance",
            "train_val_preprocessing_mismatch",
            "batchnorm_mode",
            "constant_labels",
            "missing_class",
            "loss_metric_inconsistent",  # of a class that is not there nothing is found
        ),
    ),
    "train_val_preprocessing_mismatch": Cause(
        20,
        "validation inputs are prepared otherwise than training inputs",
        "one preparation for all splits, fitted on the training split",
        (
            "overfitting",
            "batchnorm_mode",
            "lr_schedule_wrong",  # which goes by validation, and is misled
            "loss_metric_inconsistent",
        ),
    ),
    "leakage_duplicates": Cause(
        21,
        "validation rows stand in the training split too",
        "remove duplicates, then split",
        ("label_noise",),  # copies are known better than what they are copies of
    ),
    "leakage_feature": Cause(22, "one feature gives the label away", "drop the feature if it is not known beforehand"),
    "symmetric_or_zero_init": Cause(
        23,
        "units of a layer start equal and stay equal",
        "a random initialiser: GlorotUniform, or HeNormal before ReLU",
        (*CURVES, "input_ignored", "vanishing_gradient", "dead_units", *RATE, "frozen_or_disconnected", "init_scale"),
    ),
    "init_scale": Cause(
        24,
        "the initial weights shrink or blow up the signal from layer to layer",
        "HeNormal before ReLU, GlorotUniform before tanh or sigmoid",
        (*DYNAMICS, *CURVES, *RATE, "input_ignored"),
    ),
    "missing_nonlinearity": Cause(
        25,
        "layers without an activation between them are one linear layer",
        "activation='relu' on hidden layers",
        CURVES,
    ),
    "frozen_or_disconnected": Cause(
        26,
        "weights get no gradient or are not trainable",
        "trainable=True, and no stop_gradient, argmax or NumPy between weights and loss",
        (*UNTAUGHT, "input_ignored", "optimiser_not_applied", *RATE, "dead_units"),
    ),
    "optimiser_not_applied": Cause(
        27,
        "gradients are computed and never change the weights",
        "optimizer.apply(gradients, model.trainable_variables) in each step",
        (*UNTAUGHT, "input_ignored", "learning_rate_too_low", "frozen_or_disconnected"),
    ),
    "gradient_sign_flipped": Cause(
        28,
        "the steps go uphill",
        "subtract the gradient; minimise the loss, not its negative",
        (*DYNAMICS, *UNTAUGHT, *RATE, "input_ignored"),
    ),
    "loss_broadcast": Cause(
        29,
        "predictions (n, 1) against targets (n,) broadcast to n × n",
        "give both the same shape: targets[:, None], or predictions[:, 0]",
        (*CURVES, "input_ignored", *RATE, "class_imbalance"),
    ),
    "input_ignored": Cause(
        30,
        "the output does not depend on the input",
        "look where the path from the input is lost",
        (*DYNAMICS, *CURVES, "labels_shuffled_apart", "inputs_not_scaled"),
    ),
    "learning_rate_too_high": Cause(
        31,
        "the learning rate is too high",
        "a tenth of it",
        (
            "exploding_gradient",
            "dead_units",
            "saturated_units",
            "oscillation",
            "input_ignored",
            *CURVES,
            "vanishing_gradient",
            "regularisation_overwhelms",  # of the two the surer one: a rate that makes the loss grow a hundredfold
        ),
    ),
    "learning_rate_too_low": Cause(
        32,
        "the learning rate is too low",
        "ten times as much",
        ("too_few_steps", "underfitting_capacity", "targets_not_scaled", "class_imbalance"),
    ),
    "lr_schedule_wrong": Cause(
        33,
        "the schedule takes the learning rate to nothing too early, or warms up too long",
        "plan the schedule over epochs × steps per epoch",
        ("too_few_steps", "underfitting_capacity", "learning_rate_too_low", "class_imbalance"),
    ),
    "exploding_gradient": Cause(
        34,
        "gradients grow without bound",
        "clipnorm=1.0 in the optimizer, a smaller rate, normalisation",
        (*CURVES, "learning_rate_too_low"),  # such a loss is lower wherever the steps go
    ),
    "vanishing_gradient": Cause(
        35,
        "gradients fade before they reach the first layers",
        "ReLU with HeNormal, residual connections or normalisation",
        (*CURVES, "input_ignored", "learning_rate_too_low", "saturated_units", "init_scale"),
    ),
    "dead_units": Cause(
        36,
        "ReLU units are silent on every input and get no gradient",
        "HeNormal with zero bias, a smaller rate, or LeakyReLU",
        (
            *CURVES,
            "input_ignored",
            "vanishing_gradient",
            "frozen_or_disconnected",
            "learning_rate_too_low",
            "missing_nonlinearity",
            "init_scale",
        ),
    ),
    "saturated_units": Cause(
        37,
        "sigmoid or tanh units sit where they are flat",
        "smaller initial weights, scaled inputs, or ReLU",
        (*CURVES, "input_ignored", "vanishing_gradient", "learning_rate_too_low"),
    ),
    "batchnorm_mode": Cause(
        38,
        "batch normalisation behaves otherwise in training than in evaluation",
        "training=True in the training step, larger batches, a lower momentum",
        ("overfitting", "leakage_duplicates", "learning_rate_too_high"),
    ),
    "dropout_mode": Cause(
        39,
        "dropout is off in training or on in evaluation",
        "model(x, training=True) in the training step, training=False in evaluation",
        ("overfitting", "dead_units", *CURVES),
    ),
    "regularisation_overwhelms": Cause(
        39,
        "the penalty is larger than what the data ask for",
        "a tenth of the penalty",
        (*DYNAMICS, *CURVES, *RATE, "input_ignored"),
    ),
    "overfitting": Cause(
        40, "the network learns the training set by heart", "early stopping, augmentation, weight decay"
    ),
    "underfitting_capacity": Cause(
        41,
        "the network is too small for the task",
        "more units or layers",
        (
            "dead_units",
            "saturated_units",
            "input_ignored",
            "learning_rate_too_low",
            "too_few_steps",
            "vanishing_gradient",
        ),
    ),
    "too_few_steps": Cause(42, "training stopped while the loss was still falling", "more epochs"),
    "oscillation": Cause(
        43,
        "the loss swings about a value",
        "a smaller rate, or a schedule that lowers it",
        (*CURVES, "dead_units", "saturated_units"),  # where the swings leave them
    ),
    "loss_metric_inconsistent": Cause(
        44, "the loss falls and the accuracy stays at chance", "compare head, loss and metric"
    ),
    "label_noise": Cause(45, "labels contradict what similar inputs say", "look at the examples with the largest loss"),
    "inputs_drowned_in_noise": Cause(
        46,
        "noise in the training inputs is larger than the signal",
        "less noise, or none: look at what enters the model",
        (
            *DYNAMICS,
            *CURVES,
            *RATE,
            "inputs_not_scaled",
            "train_val_preprocessing_mismatch",
            "labels_shuffled_apart",
            "label_noise",
        ),
    ),
}
