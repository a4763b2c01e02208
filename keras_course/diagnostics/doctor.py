"""From findings to a verdict: harm first, then causes before their symptoms.

A finding is named when it is certain, or when the training is harmed; else it is a note. Of two findings of which one
explains the other, the cause stays named and the symptom becomes part of its evidence.
"""

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Callable

from keras_course.base import summary_of
from keras_course.diagnostics import rules as package
from keras_course.diagnostics.causes import CAUSES, CURVES
from keras_course.diagnostics.harm import Harm, harm_of
from keras_course.diagnostics.observation import LEFT_OVER, Finding, Observation
from keras_course.diagnostics.seen import by_output

# Causes whose harm shows in validation or in what the result is worth, not in the training loss.
ELSEWHERE = {
    "validation_split_sorted",
    "train_val_preprocessing_mismatch",
    "leakage_duplicates",
    "leakage_feature",
    "batchnorm_mode",
    "class_imbalance",
}
# Causes that show in the loss of training, or elsewhere alone: batches in order are easy, each by itself; dropout that
# is on in evaluation spoils validation more than training.
BOTH = {"data_sorted", "shuffle_buffer_too_small", "pipeline_order", "dropout_mode"}
# Rules that hold for the targets of each output by themselves.
OF_OUTPUTS = ("constant_labels", "label_encoding", "wrong_loss_for_task", "nan_or_inf_in_data")
NAMED = 0.3  # of harm, from which on a mechanism is named
LITTLE = 0.15  # of harm, that is enough for a sure one: no healthy program has both
NEEDED = {  # by those that a training with less harm may show
    "too_few_steps": 0.6,
    "underfitting_capacity": 0.5,
    "label_noise": 0.5,
    "overfitting": 9.0,
    "oscillation": 0.5,
    "dead_units": 0.5,
    "missing_nonlinearity": 0.2,  # a line takes its part
    "init_scale": 0.2,  # of such first weights too some of it is learned
    "targets_not_scaled": 0.2,  # the output creeps there, and the rest waits for it
    "frozen_or_disconnected": 0.2,  # what lies around the fixed part makes up for some of it
    "regularisation_overwhelms": 0.25,  # a penalty that is meant costs some of the loss
}

DROWNED = "inputs_drowned_in_noise"
# Inputs say too little, whoever is given them: what a simple model makes of the same is no measure of the harm.
BLINDING = {DROWNED, "input_ignored"}

# What a network does not tell, and another one might: as long as something surer is wrong with it nobody knows.
UNTOLD = {"label_noise", "labels_shuffled_apart", DROWNED}
DOUBTFUL = 0.65  # confidence, up to which they are said by what is not told

# Of harm that nothing explains, where it is known what there is to learn. Of 332 healthy programs none has more than
# half where a simple model tells it, or more than .68 where it is that of a constant alone.
BEHIND, ALONE = 0.6, 0.8

UNKNOWN = 0.8  # needed by what is told from curves alone, where nobody knows how much there is to learn
SURE = 0.9  # by something beside the curve: a layer of one unit; of a mechanism by what it does to the steps

Rule = Callable[[Observation], list[Finding]]


@functools.cache
def rules() -> dict[str, Rule]:
    """Every rule, by name."""
    found: dict[str, Rule] = {}
    for module in pkgutil.iter_modules(package.__path__):
        found |= getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "RULES", {})
    return found


@dataclasses.dataclass(kw_only=True)
class Report:
    """The verdict on one training: named causes first, each before what it explains, then notes."""

    observation: Observation
    harm: Harm
    findings: list[Finding]

    @property
    def named(self) -> list[Finding]:
        return [f for f in self.findings if f.kind == "named"]

    @property
    def judged(self) -> bool:
        """Whether there is something to judge by: a cause, or a step that was finished."""
        steps = self.observation.steps
        return bool(self.named) or steps is None or steps.count > 0

    @property
    def healthy(self) -> bool:
        """No cause is named, and not most of what there is to learn is missing."""
        return not self.named and not self.unexplained

    @property
    def unexplained(self) -> bool:
        """It does not learn, and no rule says why."""
        known = self.harm.baseline is not None or self.harm.attained is not None
        enough = BEHIND if self.harm.reference is not None else ALONE
        return not self.named and (self.harm.diverged or (known and self.harm.degree > enough))


def examine(seen: Observation) -> Report:
    """The verdict on what was seen of one training."""
    harm = harm_of(seen)
    found: list[Finding] = []
    for name, rule in rules().items():
        try:
            found += rule(seen)
        except Exception as error:  # a mistake in one rule must not cost the verdict of the others
            seen.unseen.append(f"The rule {name} failed: {summary_of(error)}")
    for output, part in by_output(seen):
        found += [_of_output(f, output) for rule in OF_OUTPUTS for f in rules()[rule](part)]
    found = [dataclasses.replace(f, repair=f.repair or CAUSES[f.cause].repair) for f in found]
    judged = [_judged(f, harm) for f in _once(found)]
    return Report(observation=seen, harm=harm, findings=_explained(judged))


def _of_output(finding: Finding, output: str) -> Finding:
    return dataclasses.replace(finding, evidence=f"of output {output}: {finding.evidence}", tag=f"epoch/{output}_loss")


def _once(found: list[Finding]) -> list[Finding]:
    """The strongest finding of each cause."""
    best: dict[str, Finding] = {}
    for finding in sorted(found, key=lambda f: (f.kind == "named", f.certain, f.confidence)):
        best[finding.cause] = finding
    return list(best.values())


def _judged(finding: Finding, harm: Harm) -> Finding:
    """Named only with harm, unless it is certain or its harm is elsewhere."""
    needed = NEEDED.get(finding.cause, LITTLE if finding.confidence >= SURE else NAMED)
    told_by_curves = finding.cause in CURVES and finding.confidence < SURE
    if told_by_curves and harm.reference is None and harm.baseline is not None:
        needed = max(needed, UNKNOWN)
    degree = max(harm.degree, harm.elsewhere) if finding.cause in BOTH else harm.degree
    best, end = harm.baseline, harm.end
    if finding.cause in BLINDING and harm.reference is not None and end is not None and best is not None and best > 0:
        degree = max(degree, end / best)
    if finding.kind == "note" or finding.certain or finding.cause in ELSEWHERE or harm.diverged or degree >= needed:
        return finding
    return dataclasses.replace(finding, kind="note")


def _explained(found: list[Finding]) -> list[Finding]:
    """Symptoms of a named cause become notes behind it; the rest stands in the order of confidence."""
    named = sorted((f for f in found if f.kind == "named"), key=lambda f: -f.confidence)
    upstream = [
        [o for i, o in enumerate(named) if i != place and _explains(o, finding, first=i < place)]
        for place, finding in enumerate(named)
    ]
    roots = _roots(named, upstream)
    kept = [finding for place, finding in enumerate(named) if place in roots]
    demoted = [
        dataclasses.replace(finding, kind="note", follows=above[0].cause)
        for place, (finding, above) in enumerate(zip(named, upstream, strict=True))
        if place not in roots
    ]
    notes = [f for f in found if f.kind == "note"]
    return [*kept, *demoted, *sorted(notes, key=lambda f: -f.confidence)]


def _roots(named: list[Finding], upstream: list[list[Finding]]) -> set[int]:
    """The places of those that nothing explains; of causes that explain each other in a circle, of the surest one."""
    roots = {place for place, above in enumerate(upstream) if not above}
    while True:
        reached = {id(named[place]) for place in roots}
        while more := [f for f, above in zip(named, upstream, strict=True) if id(f) not in reached
                       and any(id(o) in reached for o in above)]:  # fmt: skip
            reached |= set(map(id, more))
        left = [place for place, finding in enumerate(named) if id(finding) not in reached]
        if not left:
            return roots
        roots.add(left[0])


def _explains(cause: Finding, symptom: Finding, *, first: bool) -> bool:
    """Whether `symptom` follows from `cause`; of two that explain each other, from the one that comes first. What is
    certain does not follow from what is neither certain nor surer."""
    if symptom.confidence <= LEFT_OVER:
        return cause.confidence > LEFT_OVER
    unsure = symptom.cause in UNTOLD and symptom.confidence <= DOUBTFUL
    if unsure and cause.cause not in UNTOLD and cause.confidence > DOUBTFUL + 0.1:
        return True
    if symptom.cause not in CAUSES[cause.cause].explains or cause.confidence <= LEFT_OVER:
        return False
    if symptom.certain and not cause.certain and symptom.confidence > cause.confidence:
        return False
    mutual = cause.cause in CAUSES[symptom.cause].explains
    return not mutual or first
