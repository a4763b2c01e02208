"""Rules on training against validation: rows 19 and 20 of the table of causes."""

import dataclasses
import re

from keras_course.diagnostics.comparisons import Shift, drowned, exchanged, label_drift, scaled_otherwise, shift
from keras_course.diagnostics.harm import harm_of
from keras_course.diagnostics.held_out import FEW, HeldOut, held_out, parts, validated
from keras_course.diagnostics.losses import baseline_of, loss_of_constant, targets_of_training
from keras_course.diagnostics.observation import Data, Finding, Observation
from keras_course.diagnostics.references import loss_of_models
from keras_course.diagnostics.seen import BINARY, CATEGORICAL, badly_mixed, looked_up, quantities
from keras_course.diagnostics.statistics import classes_of, form_of
from keras_course.diagnostics.telling import told_by_words, transfer

import numpy as np

# Names of what is held out that say nothing of how it differs, as `noisy_test` does.
PLAIN = re.compile(r"^(x_?)?(val|valid|validation|dev|test|holdout)(_?(x|ds|set|data|dataset|loader))?$", re.IGNORECASE)
MISMATCH = "train_val_preprocessing_mismatch"
PLACES = 20  # of labels beside each other that are looked at one by one


def validation_split_sorted(seen: Observation) -> list[Finding]:
    """Row 19: training and validation have other classes.

    Threshold: total variation of the shares of the classes above 0.3 with p < 1e-6 of the chi-squared test, and, but of
    `validation_split`, a tenth of the rows in classes that one of the two lacks. Certain when no class is in both, or
    `validation_split` takes the last rows, so that sorted data give this, one class to the training and others to
    validation. Where training alone lacks classes, and validation has all others, they are missing: row 9. Must stay
    silent: small validation sets, by the test; training thinned by class against a balanced validation set; real
    targets, which drift with time. What the script asks about under a name like x_test is validation too. Source: row
    19 of the taxonomy.
    """
    return next((found for both in parts(seen) if (found := _other_classes(seen, *both))), [])


def _other_classes(seen: Observation, train: Data, validation: Data, name: str) -> list[Finding]:
    """Of labels with several places, as of the letters of a word, each place by itself."""
    if train.y is None or validation.y is None or train.y.shape[1:] != validation.y.shape[1:]:
        return []
    if classes_of(train.y) is not None or train.y.ndim != 2 or not 1 < train.y.shape[1] <= PLACES:
        return _classes_apart(seen, train.y, validation.y, name)
    if form_of(train.y) != "ids":
        return []
    pairs = zip(train.y.T, validation.y.T, strict=True)
    return next((found for pair in pairs if (found := _classes_apart(seen, *pair, name))), [])


def _classes_apart(seen: Observation, y: np.ndarray, other: np.ndarray, name: str) -> list[Finding]:
    a, b = classes_of(y), classes_of(other)
    if a is None or b is None or min(len(a), len(b)) < 20:
        return []
    drift = label_drift(a, b)
    split = seen.plan.validation_split if name == "validation" else 0.0
    if split and np.all(a == a[0]) and np.mean(b != a[0]) > 0.05:
        text = f"all labels of training are {a[0]}, and {np.mean(b != a[0]):.0%} of those of validation are others"
        text += f"; validation_split={split:g} takes the last rows"
        cause = "validation_split_sorted"
        return [Finding(cause=cause, confidence=0.97, certain=True, evidence=text, tag="labels/entropy")]
    apart = not np.intersect1d(a, b).size
    alone = np.isin(a, drift.only_first).mean() + np.isin(b, drift.only_second).mean()
    if drift.distance <= 0.3 or drift.p >= 1e-6 or (alone < 0.1 and not split):
        return []
    if not split and drift.only_second and not drift.only_first:
        return []  # all that training has is there too: what it lacks is missing
    left = b[np.isin(b, a)]
    if len(left) and label_drift(a, left).distance < 0.15:
        return []
    text = f"the shares of the classes differ by {drift.distance:.2f} between training and {name} (0.3 is much)"
    text += f"; validation_split={split:g} takes the last rows" if split else ""
    return [
        Finding(
            cause="validation_split_sorted",
            confidence=0.97 if apart else 0.9,
            certain=apart or bool(split),
            evidence=text + (", and no class is in both" if apart else ""),
            tag="labels/entropy",
        )
    ]


def train_val_preprocessing_mismatch(seen: Observation) -> list[Finding]:
    """Row 20: validation inputs are prepared otherwise than training inputs.

    Threshold: two columns and more that look as others of the training do (see `exchanged`); more than 20 % of the
    features with spreads threefold apart or means 3 spreads apart, each with p < 1e-6 of the Kolmogorov-Smirnov test.
    Rows drawn alike do not do that; or a single column, where validation loses half of what there is to gain and the
    training does not. Or 80 % of them one spread apart, or twice as wide, where what was learned of the one part is
    known of the other by 0.3 less. Or columns that mean something else: what a linear model learns from training closes
    more than half of the way from chance to being right on rows of it that were left out, and less than a quarter of
    that on validation, whose loss is hardly better than that of a constant.
    What the script asks about outside of training counts where all of it differs so, or 80 % of the features of a part
    with a plain name, as `val` or `x_test`: rows that are alike but for their scale; or, with labels and a name that
    says test, rows of which a linear model, or a table of words and their labels, says as little; and pixels beside
    numbers up to 1, wherever they are asked about. Of rows that were not seen: a validation loss of more than 100 times
    that of a constant after every epoch, of classes 3 times, of a network without moving averages that is better than
    a constant on what it trains on; what is learned by heart comes to that in late epochs alone. Must stay silent:
    words that are frequent in one part alone; series that drift, seen by halves of the training rows that differ half
    as much; questions about what is meant to be strange, another kind or another range. Source: row 20 of the taxonomy.
    """
    both = validated(seen)
    found = (_prepared_otherwise(seen, both) if both is not None else []) or _asked_otherwise(seen)
    return found or (_far_off(seen) if both is None else _one_column(seen, *both))


def _one_column(seen: Observation, train: Data, validation: Data) -> list[Finding]:
    """A single column that is prepared otherwise, where it costs half of what was learned."""
    harm = harm_of(seen)
    if harm.elsewhere < max(0.5, harm.degree + 0.4):
        return []
    inputs = zip((train.x, *train.further), (validation.x, *validation.further), strict=False)
    for number, (x, other) in enumerate(inputs, 1):
        if x.dtype.kind != "f" or other.dtype.kind != "f" or x.ndim != 2 or x.shape[1:] != other.shape[1:]:
            continue
        found = shift(x, other)
        if 0 < found.share <= 0.2 and not _drifts(x, found):
            named = f" of input {number}" if train.further else ""
            lost = harm.elsewhere > 3  # by which a schedule that goes by validation is misled
            return [dataclasses.replace(_mismatch(found, named), confidence=0.95 if lost else 0.7, certain=False)]
    return []


def _far_off(seen: Observation) -> list[Finding]:
    """A validation loss that no learning by heart gives."""
    best, rows = baseline_of(seen), [row for row in seen.epochs if "loss" in row and "val_loss" in row]
    constant = loss_of_constant(
        targets_of_training(seen), seen.loss.name, seen.loss.delta
    )  # weights of classes are for training alone
    averages = any(layer["class"] == "BatchNormalization" for layer in seen.layers)
    if not best or not constant or len(rows) < 2 or averages or not rows[-1]["loss"] <= best:
        return []
    if badly_mixed(seen):  # what is learned is the class of the last batches
        return []
    of_classes = seen.loss.name in CATEGORICAL + BINARY
    least, times = min(row["val_loss"] for row in rows), 3 if of_classes else 100
    if not 0.98 * constant < least < np.inf:
        return []
    text = f"the validation loss is never below {least:.3g}, where a constant costs {constant:.3g}, and that of "
    text += f"training ends at {rows[-1]['loss']:.3g}"
    if not times * constant < least:
        told = loss_of_models(seen, bent=False) if of_classes else None  # a series may drift
        if told is None or max(told, rows[-1]["loss"]) > 0.7 * constant:
            return []
        text += f", and a linear model of some of its rows leaves {told:.3g} of the others"
    return [Finding(cause=MISMATCH, confidence=0.7, certain=True, evidence=text, tag="epoch/val_loss")]


def _prepared_otherwise(seen: Observation, both: tuple[Data, Data]) -> list[Finding]:
    if otherwise := _in_another_order(*both, "validation") or _further_otherwise(*both, "validation"):
        return otherwise
    if both[0].x[0].size > 20000:
        return []
    if looked_up(seen, both[0].x):
        return _other_meaning(seen, *both)
    found = shift(both[0].x, both[1].x)
    if found.share <= 0.2:
        return _moved_and_lost(seen, *both, "validation") or _other_meaning(seen, *both)
    return [] if _drifts(both[0].x, found) or drowned(both[0].x, both[1].x) else [_mismatch(found)]


def _in_another_order(train: Data, other: Data, name: str) -> list[Finding]:
    """Columns that have changed places."""
    table = train.x.dtype.kind == "f" == other.x.dtype.kind and train.x.ndim in (2, 3)
    if not table or not (moved := exchanged(train.x, other.x)):
        return []
    places = ", ".join(f"{j} as {i}" for j, i in moved[:4])
    text = f"{len(moved)} columns of {name} look as others of the training do, and not as those in their place: "
    repair = "one list of columns, in one order, for all splits"
    text += f"{places} (numbers of columns, from 0)"
    return [Finding(cause=MISMATCH, confidence=0.95, certain=True, evidence=text, repair=repair, tag="inputs/spread")]


def _further_otherwise(train: Data, other: Data, name: str) -> list[Finding]:
    """Further inputs that are prepared otherwise."""
    for number, (x, asked) in enumerate(zip(train.further, other.further, strict=False), 2):
        if x.dtype.kind == "f" == asked.dtype.kind and x.shape[1:] == asked.shape[1:] and x[0].size <= 20000:
            found = shift(x, asked)
            if found.share > 0.2 and not _drifts(x, found):
                return [_mismatch(found, f" of input {number}", name)]
    return []


def _asked_otherwise(seen: Observation) -> list[Finding]:
    """Rows that are asked about, all of them prepared otherwise than those of the training; or some, if as pixels, or
    nearly all of their features under a name that says no more than that they are held out."""
    asked = held_out(seen)
    for held in asked:
        if text := _pixels_of_one(held):
            return [Finding(cause=MISMATCH, confidence=0.9, certain=True, evidence=text, tag="inputs/max")]
    found = [_asked(seen, held) for held in asked]
    if found and all(found):
        return found[0]
    plain = [each for held, each in zip(asked, found, strict=True) if each and PLAIN.match(held.name)
             and shift(held.train.x, held.asked.x).share > 0.8]  # fmt: skip
    return plain[0] if plain else []


def _pixels_of_one(held: HeldOut) -> str:
    """In words, that one of the two parts holds whole numbers up to 255 and the other numbers from -1 to 1; or ""."""
    reach = [float(np.abs(part.x).max()) for part in (held.train, held.asked)]
    least, most = sorted((held.train.x, held.asked.x), key=np.ptp)
    pixels = 100 < max(reach) <= 255 and most.min() >= 0 and np.array_equal(most, np.round(most))
    if not pixels or not 0.5 < min(reach) <= 1.01 or least[0].size < 64 or len(np.unique(least[:FEW])) < 8:
        return ""
    name = held.name or "what is predicted"
    return f"training inputs reach as far as {reach[0]:.3g} from 0, those of {name} as far as {reach[1]:.3g}: pixels"


def _asked(seen: Observation, held: HeldOut) -> list[Finding]:
    x, other = held.train.x, held.asked.x
    name = held.name or "what is predicted"
    if found := _in_another_order(held.train, held.asked, name) or _further_otherwise(held.train, held.asked, name):
        return found
    if looked_up(seen, x) or x[0].size > 20000:
        return _untold(seen, held.train, held.asked, held.name) if held.named else []
    moved = shift(x, other)
    beyond = x[0].size == 1 and 1 / 3 < moved.factor < 3
    if moved.share > 0.2 and scaled_otherwise(x, other) >= 0.5 and not beyond and not _drifts(x, moved):
        if drowned(x, other):
            return []  # another cause
        return [_mismatch(moved, other=held.name or "what is predicted")]
    if held.named and (lost := _moved_and_lost(seen, held.train, held.asked, held.name)):
        return lost
    return _untold(seen, held.train, held.asked, held.name) if held.named else []


def _moved_and_lost(seen: Observation, train: Data, other: Data, name: str) -> list[Finding]:
    """Nearly all features lie one spread apart, or spread twice as wide, and what was learned does not hold there."""
    e = seen.experiments
    if not e.get("right_train", 0.0) > max(0.7, e.get("right_held", 1.0) + 0.3):
        return []
    found = shift(train.x, other.x, ratio=2.0, distance=1.0)
    if found.share < 0.8 or scaled_otherwise(train.x, other.x) < 0.5 or _drifts(train.x, found):
        return []
    return [] if drowned(train.x, other.x) else [_mismatch(found, other=name)]


def _mismatch(found: Shift, of: str = "", other: str = "validation") -> Finding:
    return Finding(
        cause=MISMATCH,
        confidence=0.9,
        certain=True,
        evidence=f"{found.share:.0%} of the features{of} differ between training and {other}: spreads by a factor "
        f"of {found.factor:.3g}, means by {found.distance:.3g} spreads (p < 1e-6 each)",
        tag="inputs/spread",
    )


def _other_meaning(seen: Observation, train: Data, validation: Data) -> list[Finding]:
    """Validation on which nothing holds that was learned, though each of its columns looks as it should."""
    values, best = [row["val_loss"] for row in seen.epochs if "val_loss" in row], baseline_of(seen)
    if not values or best is None or values[-1] < 0.9 * best:
        return []
    return _untold(seen, train, validation, "validation")


def _untold(seen: Observation, train: Data, other: Data, name: str) -> list[Finding]:
    """What a simple model learns of the training rows says next to nothing of the others."""
    if train.y is None or other.y is None or min(len(train.x), len(other.x)) < 50:
        return []
    if train.x.shape == train.y.shape and looked_up(seen, train.x):
        found, model, least = told_by_words(train.x, train.y, other.x, other.y), "a table of the words of training", 0.3
    else:
        a, b = classes_of(train.y), classes_of(other.y)
        if a is None or b is None or len(a) < 200 or np.unique(a, return_counts=True)[1].min() < 3:
            return []
        if len(np.unique(a)) < 2 or np.mean(np.isin(b, a)) < 0.8 or train.x[0].size > 4096:
            return []  # nothing can be learned of a single class, or of classes that are not there
        rows = quantities(seen, train, other)  # with one vocabulary
        found, model, least = transfer(rows[: len(a)], a, rows[len(a) :], b), "a linear model of the training rows", 0.5
    gained = found.inside - found.chance
    if gained < least * (1 - found.chance) or found.across - found.chance > 0.25 * gained:
        return []
    text = (
        f"{model} is right on {found.inside:.0%} of those left out and on {found.across:.0%} of {name}, where the most "
        f"frequent class has {found.chance:.0%}"
    )
    return [Finding(cause=MISMATCH, confidence=0.8, certain=name != "validation", evidence=text, tag="epoch/val_loss")]


def _drifts(x: np.ndarray, found: Shift) -> bool:
    """Whether the rows of training differ among themselves, early from late, half as much."""
    half = len(x) // 2
    own = shift(x[:half], x[half:], ratio=1.7, distance=1.5)
    return own.share > 0.5 * found.share


RULES = {
    "validation_split_sorted": validation_split_sorted,
    "train_val_preprocessing_mismatch": train_val_preprocessing_mismatch,
}
