"""What a person should know of each cause: how it shows, and how it is told from its likes.

The tab "Diagnosis" shows a page for each cause, and docs/diagnostics.md is made of the same text: after a change run
`python -m keras_course.diagnostics.guide`. Meaning and repair come from `causes.CAUSES`.
"""

from pathlib import Path
from typing import Any, NamedTuple

from keras_course.base import ROOT
from keras_course.diagnostics.causes import CAUSES

FILE = ROOT / "docs" / "diagnostics.md"


class Text(NamedTuple):
    symptoms: str
    apart: str


GROUPS = {
    "Output, loss and labels": {
        "softmax_on_single_unit": Text(
            "Every prediction is exactly 1. On TensorFlow, Keras computes the loss from the logits under the softmax, "
            "so the loss may fall while the accuracy stays at the share of the positive class.",
            "`outputs/min` and `outputs/max` are both 1. A saturated sigmoid comes close to 1, never for every input.",
        ),
        "logits_to_probability_loss": Text(
            "The loss is NaN, or stands at a value that no probability gives.",
            "`outputs/min` is below 0 or `outputs/row_sum` is not 1 although the loss was told to expect "
            "probabilities. With hinge or squared error the same range is right.",
        ),
        "probabilities_to_logits_loss": Text(
            "The loss falls slowly and stops above ln(1 + (K - 1)/e): 1.461 for ten classes, 0.313 for one sigmoid.",
            "`outputs/row_sum` is 1 at every step and the loss is one on logits. Where Keras finds the logits under "
            "the softmax it uses them, and the second softmax does no harm.",
        ),
        "wrong_head_for_labels": Text(
            "An error about shapes at best; otherwise the accuracy stays near chance from the first epoch on.",
            "Look at one row of the labels: an integer, one 1 among zeros, several ones, or a real number. Each has "
            "one fitting loss. A rate that is too low shows small updates, this does not.",
        ),
        "output_range_cannot_reach_targets": Text(
            "The loss falls and stops at the squared distance between the targets and the nearest value that the "
            "activation reaches.",
            "`outputs/max` or `outputs/min` sticks to the end of the activation's range, and targets lie beyond it. "
            "Targets that are only large are reachable by a linear output.",
        ),
        "wrong_loss_for_task": Text(
            "A classifier trained by squared error on class numbers predicts values between classes; a cross-entropy "
            "on real targets is negative, NaN or without a minimum.",
            "Count the distinct targets: many real values are regression, few integers are classes.",
        ),
        "wrong_metric": Text(
            "The loss falls and the metric does not move: the training is sound and the number shown is not.",
            "Predictions on a few rows are right. Accuracy on real targets, or a threshold of 0.5 on logits, is the "
            "usual reason.",
        ),
        "label_encoding": Text(
            "NaN in the first step, an error about an index, or one class that is never right.",
            "`labels` hold an integer below 0 or from the number of classes on, a fraction, or rows that do not sum "
            "to 1.",
        ),
        "constant_labels": Text(
            "Accuracy is 1 at once and the loss goes to 0.",
            "`labels/entropy` is 0 in every batch. With sorted data it is 0 in most batches, and the class changes "
            "later.",
        ),
        "missing_class": Text(
            "One class has no recall, in training as well.",
            "The class never occurs in the labels, while the output has a unit for it. A rare class does occur.",
        ),
        "class_imbalance": Text(
            "Accuracy equals the share of the largest class, and the rare class is never predicted.",
            "Recall of the rare class is far below that of the others. An imbalanced set that is learned is no fault.",
        ),
        "loss_metric_inconsistent": Text(
            "The loss falls well below its start, the accuracy stays at chance.",
            "A symptom of a head, loss or metric that do not fit: look at those first.",
        ),
    },
    "Data": {
        "inputs_not_scaled": Text(
            "The first loss is large, the first layer saturates or dies, or the loss jumps.",
            "`inputs/spread` is far from 1, or the mean is many spreads away from 0. Where the first layer normalises, "
            "any scale will do; embeddings take integers.",
        ),
        "inputs_scaled_twice": Text(
            "The loss falls very slowly; outputs hardly depend on the input.",
            "`inputs/max` is about 1/255. A rate that is too low shows the same curve with inputs of a proper size.",
        ),
        "targets_not_scaled": Text(
            "The loss is huge and falls by a constant amount per step, or the gradients explode in the first step.",
            "The targets are larger than rate × steps can move the output. Inputs are of a proper size.",
        ),
        "nan_or_inf_in_data": Text(
            "The loss is NaN from the first batch that holds such a value, and all weights after it.",
            "`inputs/mean` is NaN before the loss is. When the loss is first, look for an exploding gradient, a "
            "logarithm of 0 or a rate that is too high.",
        ),
        "labels_shuffled_apart": Text(
            "The loss stays at the entropy of the labels, then the training set is learned by heart; validation stays "
            "at chance.",
            "A few examples can be learned, similar inputs have unlike labels. With a rate that is too low not even a "
            "few are learned.",
        ),
        "data_sorted": Text(
            "The loss is near 0 inside a class and jumps where the next begins: a saw with the period of an epoch.",
            "`labels/entropy` is far below that of the whole set. A rate that is too high makes the loss jump at any "
            "entropy.",
        ),
        "shuffle_buffer_too_small": Text(
            "As with sorted data, with softer edges.",
            "There is a shuffle, its buffer is a small part of the source, and `labels/entropy` is low.",
        ),
        "pipeline_order": Text(
            "Batches repeat in the same composition, or epochs run into each other.",
            "Read the stages: shuffle after batch moves whole batches; a random map before cache is drawn once. On a "
            "source in random order it does little harm.",
        ),
        "validation_split_sorted": Text(
            "Validation accuracy is 0 or near it while training goes well.",
            "The classes of the validation rows do not occur among the training rows. Overfitting leaves validation "
            "above chance.",
        ),
        "train_val_preprocessing_mismatch": Text(
            "The validation loss is high from the first epoch on, often a hundred times that of training.",
            "Compare mean and spread of the two splits' inputs. Overfitting starts low and rises.",
        ),
        "leakage_duplicates": Text(
            "Validation is as good as training, and the result does not hold on new data.",
            "Rows of the validation split are found in the training split, byte for byte.",
        ),
        "leakage_feature": Text(
            "Validation is nearly perfect after the first epoch.",
            "One column alone separates the classes. Ask whether it is known before the label is.",
        ),
        "label_noise": Text(
            "The training loss stays above 0, then the noise is learned by heart and validation gets worse.",
            "The examples with the largest loss are wrong when a person looks at them.",
        ),
        "inputs_drowned_in_noise": Text(
            "Training accuracy is low, and the same weights do well on clean inputs.",
            "`inputs/images` look like noise, `inputs/neighbour_correlation` is near 0, and `inputs/spread` is above "
            "that of the stored data.",
        ),
    },
    "Model": {
        "symmetric_or_zero_init": Text(
            "A layer acts as if it had one unit; with zeros everywhere the loss does not move at all.",
            "The histogram `weights/<variable>` is one spike at step 0, and columns of the kernel stay equal. A zero "
            "start of the output layer alone is no fault.",
        ),
        "init_scale": Text(
            "`activation_spread` shrinks or grows by a constant factor from layer to layer before the first step.",
            "It shows at step 0, so the rate has no part in it. Normalisation between layers hides and heals it.",
        ),
        "missing_nonlinearity": Text(
            "A deep network is as good as a linear model, however wide.",
            "f(a + b) = f(a) + f(b) - f(0) holds for the stack. For a linear task that is no fault.",
        ),
        "frozen_or_disconnected": Text(
            "Some or all layers keep their first values.",
            "There is no `gradient_norm` for the layer, or it is exactly 0. When there is one and the weights stay, "
            "the optimiser is not applied.",
        ),
        "input_ignored": Text(
            "Every input gets the same output; the loss stops at what the best constant gives.",
            "`outputs/spread_over_inputs` is 0. Dead units, vanishing gradients and scale can bring it about: it is "
            "named when none of them is there.",
        ),
        "batchnorm_mode": Text(
            "Training goes well, evaluation of the same batch is at chance.",
            "The moving averages have not moved, or are far from those of the batches. Overfitting concerns other "
            "rows, this the same ones.",
        ),
        "dropout_mode": Text(
            "Two passes over the same batch agree in training, or differ in evaluation.",
            "Compare two passes: equal in training means that dropout is off.",
        ),
        "regularisation_overwhelms": Text(
            "Weights shrink towards 0 and training and validation are equally bad.",
            "`weight_norm` falls all the time, and the penalty is larger than the data's part of the loss.",
        ),
        "underfitting_capacity": Text(
            "Training and validation stop at the same loss, above what the task allows.",
            "Named when nothing else explains the plateau, and a wider network does better.",
        ),
        "overfitting": Text(
            "Training loss falls on, validation loss has turned and rises.",
            "Validation was good before. When it never was, look for a split, a preparation or a mode that differs.",
        ),
    },
    "Steps": {
        "optimiser_not_applied": Text(
            "The loss moves by the noise of the batches alone.",
            "`update_ratio` is exactly 0 while `gradient_norm` is not. A rate that is too low changes a little.",
        ),
        "gradient_sign_flipped": Text(
            "The loss rises from the first step on, and does not stop.",
            "The same batch has a larger loss after its own step, at any rate. With a rate that is too high a tenth of "
            "it helps; here it only slows the rise.",
        ),
        "loss_broadcast": Text(
            "A regression predicts the mean of the targets for every input.",
            "Predictions are (n, 1) and targets (n,): the loss is over n × n pairs. `outputs/spread_over_inputs` goes "
            "to 0 and the gradients do not vanish on the way.",
        ),
        "learning_rate_too_high": Text(
            "The loss rises in the first steps, jumps, goes to NaN, or stands still because all units have died.",
            "The first twenty steps tell: `update_ratio` is large and a tenth of the rate does better from the same "
            "start. With wrong initial weights step 0 is wrong already.",
        ),
        "learning_rate_too_low": Text(
            "The loss falls in a straight line and hardly at all.",
            "`update_ratio` is small in every layer alike, and a step ten times as long lowers the same batch's loss "
            "more. With vanishing gradients the first layers are slower than the last.",
        ),
        "lr_schedule_wrong": Text(
            "The loss falls, then stops for good early in the training, or stays flat through a long warm-up.",
            "`update_ratio` goes to 0 with the planned rate, while `gradient_norm` does not.",
        ),
        "exploding_gradient": Text(
            "`gradient_norm` grows by a factor per layer towards the input, or over the steps, until the loss is NaN.",
            "Look at step 0. A factor per layer there comes from the initial weights; growth over the steps from the "
            "rate or from a recurrent layer.",
        ),
        "vanishing_gradient": Text(
            "The loss stands still; the last layers learn, the first do not.",
            "`activation_gradient` falls by a constant factor per layer towards the input. When all gradients are "
            "small alike because the loss is near 0, the training is done.",
        ),
        "dead_units": Text(
            "The output is the same for every input and the loss stands at the best constant.",
            "`dead_share` is near 1 in a layer: its units are 0 on the whole batch. A trained network has many zeros "
            "and few units that are zero for every input.",
        ),
        "saturated_units": Text(
            "The loss falls slowly or stands still; activations sit at the ends of their range.",
            "`saturated_share` is near 1 in a hidden layer. In the output of a trained classifier it is no fault.",
        ),
        "too_few_steps": Text(
            "The loss is still falling at the end.",
            "The slope at the end is real against the noise. A larger rate that gets there in time is the "
            "cause instead.",
        ),
        "oscillation": Text(
            "The loss swings about a value above what the network can reach.",
            "The swings stay on a fixed batch. Those of batch losses alone are the noise of sampling.",
        ),
    },
}

HEAD = """# Why a network does not train

<!-- written by `python -m keras_course.diagnostics.guide` -->

Each cause that a diagnosis can name: what it means, how it shows, how it is told from its likes, how it is repaired.
Names in `this type` with a slash are TensorBoard tags: `dead_share/<layer>` is one curve for each layer. The tab
"Diagnosis" of TensorBoard shows the same text beside the run, with a heat map of layers and steps for each quantity.

![The tab: runs, causes with evidence and repair, the loss, gradient norms by layer and step](diagnosis.png)

A cause is named when there is evidence of its mechanism and the training was harmed: the loss is not better than that
of the best constant prediction, it diverged, or validation falls behind. Mechanism without harm is a note. A cause
explains its symptoms: these are not named beside it.

What a script asks its model outside of training (`evaluate`, `predict`, a call, a function that calls it) is held
against what it trains on: by their names, as `x_val` and `y_test`, rows and labels count as held out.

What is measured, for each layer (a linear operation with what follows it up to the next one):

| tag | what it is | how to read it |
| --- | --- | --- |
| `gradient_norm/<layer>` | norm of the loss's gradient by the layer's weights | of one size in all layers, falling slowly |
| `weight_norm/<layer>` | norm of the weights before the step | moves, and does not run away |
| `update_ratio/<layer>` | norm of the step's change over that of the weights | 0 is a layer that does not learn; near 1 the step replaces the weights |
| `learning_rate` | the optimizer's rate at the step, where it is a variable | flat, or as the schedule was meant |
| `activation_mean/<layer>`, `activation_spread/<layer>` | mean and standard deviation of what leaves the layer | alike from layer to layer |
| `activation_gradient/<layer>` | root mean square of the loss's gradient by what leaves the layer, summed over places | a constant factor per layer vanishes or explodes |
| `dead_share/<layer>` | share of ReLU units that are 0 on the whole batch | near 1: nothing passes |
| `saturated_share/<layer>` | share of sigmoid or tanh units that are flat on 95 % of the batch | near 1 in a hidden layer: no gradient passes |
"""  # noqa: E501


def pages() -> list[dict[str, Any]]:
    """A page for each cause, in the order of the document: name, group, what, symptoms, apart, repair, explains."""
    return [
        {
            "name": name,
            "group": group,
            "what": CAUSES[name].what,
            "symptoms": text.symptoms,
            "apart": text.apart,
            "repair": CAUSES[name].repair,
            "explains": list(CAUSES[name].explains),
        }
        for group, texts in GROUPS.items()
        for name, text in texts.items()
    ]


def markdown() -> str:
    """The text of docs/diagnostics.md."""
    found = pages()
    lines = [HEAD]
    for group in GROUPS:
        names = [f"[{page['name']}](#{page['name']})" for page in found if page["group"] == group]
        lines.append(f"- {group}: {', '.join(names)}")
    for group in GROUPS:
        lines.append(f"\n## {group}")
        lines += [_section(page) for page in found if page["group"] == group]
    return "\n".join(lines) + "\n"


def _section(page: dict[str, Any]) -> str:
    parts = [
        f"\n### {page['name']}\n",
        f"{page['what'][0].upper()}{page['what'][1:]}.\n",
        f"- **Shows as:** {page['symptoms']}",
        f"- **Told apart by:** {page['apart']}",
        f"- **Repair:** {page['repair']}",
    ]
    if page["explains"]:
        parts.append(f"- **Explains:** {', '.join(sorted(set(page['explains'])))}")
    return "\n".join(parts)


def write(file: Path = FILE) -> None:
    file.write_text(markdown(), "utf-8")


if __name__ == "__main__":
    write()
