"""Naive Bayes: how well do counts of words tell what a headline is about, and what may a new word do?

Each class draws its words independently, with probabilities that are counted in the training texts. You write `fit`,
the counting with Laplace smoothing α, and `log_posterior`. Without smoothing a single word that a class never showed
makes the class impossible, and one that no class showed makes all of them so. And a product of thirty small
probabilities is 0 to a computer: sums of logarithms are not.

The run scores held-out texts, with α chosen on the validation split, and asks how far the posteriors can be trusted:
words are not independent, so they are surer than they are right. A worked example has the numbers of the course's
source; its headlines are not the source's, but the smallest ones a search found that give the same numbers.

Manning, Raghavan and Schütze (2008), "Introduction to Information Retrieval", chapter 13.
"""

from dataclasses import dataclass
from typing import Literal

from keras_course import data, plots
from keras_course.base import require
from keras_course.exercise import Band, Exercise, Result, blank
from keras_course.settings import Count, Positive, Seed

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.metrics import confusion_matrix

BUSINESS = ("shares rise today", "shares rise market", "today rain coast")
WEATHER = ("rain today coast", "rain shares today", "market rise")
HEADLINE = "market shares rise today"


@dataclass(frozen=True)
class Settings:
    dataset: Literal["docstrings", "ag_news"] = "docstrings"
    source: Literal["small", "full"] = "small"  # small: docstrings of the installed libraries; full: headlines of news
    alphas: tuple[Positive, ...] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # smoothing, chosen on the validation split
    at_least: Count = 1  # how often a word must occur in the training texts to be in the vocabulary
    seed: Seed = 0


def count_words(texts, vocabulary):
    """How often each text holds each id of the vocabulary: a sparse matrix (n, words + 1), unknown words last."""
    ids = vocabulary.encode(texts)
    columns = np.concatenate(ids) - 2  # the first word has the id 2, an unknown one the id 1
    columns[columns < 0] = len(vocabulary.words)
    rows = np.repeat(np.arange(len(ids)), [len(row) for row in ids])
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(ids), len(vocabulary.words) + 1))


@blank(
    "foundations/naive_bayes",
    hints=(
        "The words of a class are all words of its texts together: one-hot labels, transposed, times the counts.",
        "Smoothing adds α to every count, so a class has α · words more of them in its denominator.",
        "Return logarithms. A prior is the class's share of the texts, not of the words.",
    ),
)
def fit(counts, labels, classes, alpha, words=None):
    """Log priors (classes,) and log probabilities of the words of each class (classes, columns).

    counts: (n, columns), dense or sparse. labels: (n,), whole numbers from 0 to classes - 1. alpha: above 0.
    words: how many words α is added for in the denominator; without it all columns.
    InputError for α of 0 or below, no columns, or labels outside the classes: call `require_fit`.
    """
    require_fit(counts, labels, classes, alpha)
    member = np.eye(classes)[labels]  # (n, classes)
    by_class = np.asarray(member.T @ counts)  # (classes, columns)
    # P(word | class) = (count + α) / (all counts of the class + α · words)
    total = by_class.sum(axis=1, keepdims=True) + alpha * (words or counts.shape[1])
    return np.log(member.mean(axis=0)), np.log(by_class + alpha) - np.log(total)


@blank(
    "foundations/naive_bayes",
    hints=(
        "The logarithm of a product of powers is a sum of counts times logarithms: one matrix product.",
        "Dividing by the sum over the classes is subtracting its logarithm; `np.logaddexp.reduce` takes it safely.",
    ),
)
def log_posterior(counts, log_prior, log_likelihood):
    """log P(class | text), (n, classes): normalised, and finite for texts of any length."""
    # log P(class) + Σ count · log P(word | class), less the logarithm of its sum over the classes
    joint = counts @ log_likelihood.T + log_prior  # (n, classes)
    return joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)


def require_fit(counts, labels, classes, alpha):
    """InputError for what nothing can be counted in."""
    require(alpha > 0, "alpha", "above 0: a word that a class never showed would make it impossible", alpha)
    require(counts.shape[1] > 0, "counts", "of at least one word: the vocabulary is empty", counts.shape)
    outside = [label for label in np.unique(labels).tolist() if not 0 <= label < classes]
    require(not outside, "labels", f"a class from 0 to {classes - 1}", outside)


def worked_example():
    """The posteriors of a headline of business, without and with the new word "sport"."""
    texts, labels = [*BUSINESS, *WEATHER], np.array([0, 0, 0, 1, 1, 1])
    vocabulary = data.Vocabulary.of(texts)
    counts = count_words(texts, vocabulary)
    headline, new = count_words([HEADLINE, HEADLINE + " sport"], vocabulary).toarray()
    by_class = np.eye(2)[labels].T @ counts.toarray()
    shares = by_class / by_class.sum(axis=1, keepdims=True)
    plain = 0.5 * np.prod(shares**headline, axis=1)
    rows = [("without smoothing", "no", ".714", plain, plain[0] / plain.sum())]
    never = 0.5 * np.prod(shares**new, axis=1)
    rows.append(("without smoothing", "yes", "–", never, float("nan")))
    for words, claim in ((6, "3.6e-5 and 2.2e-5"), (7, "same class")):
        prior, likelihood = fit(counts, labels, 2, 1.0, words=words)
        joint = np.exp(new @ likelihood.T + prior)
        rows.append((f"α = 1, {words} words", "yes", claim, joint, joint[0] / joint.sum()))
    return [
        {
            "smoothing": smoothing,
            "with “sport”": sport,
            "source (S3)": claim,
            "P(business, words)": float(joint[0]),
            "P(weather, words)": float(joint[1]),
            "P(business | words)": "undefined: 0 / 0" if np.isnan(posterior) else float(posterior),
        }
        for smoothing, sport, claim, joint, posterior in rows
    ]


def calibration(posterior, labels, bins=10):
    """How sure the model was and how often right, in bins of equal numbers of texts: two arrays."""
    sure, right = posterior.max(axis=1), posterior.argmax(axis=1) == labels
    parts = np.array_split(np.argsort(sure), min(bins, len(labels)))
    return np.array([sure[p].mean() for p in parts]), np.array([right[p].mean() for p in parts])


def accuracy(posterior, labels):
    """The share of texts whose most probable class is theirs."""
    return float(np.mean(posterior.argmax(axis=1) == labels))


def run(settings, log):
    splits = data.load(settings.dataset, source=settings.source, seed=settings.seed)
    vocabulary = data.Vocabulary.of(splits.train.x, at_least=settings.at_least)
    train, validation, test = (count_words(s.x, vocabulary) for s in (splits.train, splits.validation, splits.test))
    classes = len(splits.classes)
    models = {alpha: fit(train, splits.train.y, classes, alpha) for alpha in settings.alphas}
    chosen = {
        alpha: accuracy(log_posterior(validation, *model), splits.validation.y) for alpha, model in models.items()
    }
    alpha = max(chosen, key=lambda a: chosen[a])
    prior, likelihood = models[alpha]
    posterior = np.exp(log_posterior(test, prior, likelihood))
    sure, right = calibration(posterior, splits.test.y)
    contrast = likelihood - np.log((np.exp(likelihood).sum(axis=0, keepdims=True) - np.exp(likelihood)) / (classes - 1))
    weight = contrast * (np.exp(likelihood) * (np.asarray(train.sum(axis=0)) >= 5))  # telling and frequent
    telling = [[vocabulary.words[i] for i in np.argsort(-row[:-1])[:8]] for row in weight]
    if log is not None:
        for step, (a, value) in enumerate(chosen.items(), 1):
            log.scalars("alpha", step, {"alpha": a, "validation_accuracy": value})
    return Result(
        scores={
            "test_accuracy": accuracy(posterior, splits.test.y),
            "majority": float(np.bincount(splits.test.y).max() / len(splits.test.y)),
            "alpha": alpha,
            "overconfidence": float(sure.mean() - right.mean()),
            "unknown_words": 1 - vocabulary.known_share(splits.test.x),
        },
        arrays={
            "alphas": chosen,
            "calibration": (sure, right),
            "confusion": confusion_matrix(splits.test.y, posterior.argmax(axis=1), normalize="true"),
            "classes": splits.classes,
        },
        tables={
            "Worked example": worked_example(),
            "Most telling words": [
                {"class": name, "words": ", ".join(words)} for name, words in zip(splits.classes, telling, strict=True)
            ],
        },
        data=(splits,),
        parameters={"naive Bayes": likelihood.size + prior.size},
    )


def figures(result):
    arrays = result.arrays
    sure, right = arrays["calibration"]
    drawing, axes = plots.figure(4.4, 4.0)
    axes.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle="--", label="as sure as right")
    axes.plot(sure, right, marker="o", label="tenths of the test texts")
    axes.set(xlabel="how sure it was", ylabel="how often it was right", title="trust in the posterior")
    axes.legend(frameon=False, fontsize="small")
    return {
        "alpha": plots.curves(
            {"validation": list(arrays["alphas"].values())},
            x=[f"{a:g}" for a in arrays["alphas"]],
            xlabel="smoothing α",
            ylabel="accuracy",
            title="how much smoothing",
        ),
        "calibration": drawing,
        "confusion": plots.matrix(
            arrays["confusion"],
            xlabel="answer",
            ylabel="truth",
            labels=arrays["classes"],
            decimals=2,
            title="share of each true class",
        ),
    }


EXERCISE = Exercise(
    source="S3: naive Bayes on news headlines",
    small=Settings(),
    full=Settings(dataset="ag_news", source="full"),
    quick=Settings(alphas=(1.0,), at_least=3),
    run=run,
    figures=figures,
    expect={
        "test_accuracy": Band(0.55, 0.85),  # of the installed versions of four libraries
        "overconfidence": Band(0.0, 0.3),
        "unknown_words": Band(0.02, 0.3),
    },
)
