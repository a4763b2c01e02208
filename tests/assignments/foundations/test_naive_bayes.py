from assignments.foundations.naive_bayes import EXERCISE, calibration, count_words, worked_example
from keras_course import data
from keras_course.check import Mutant, points, same

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(0.7, (7, 5)).astype(float)
LABELS = np.array([0, 2, 1, 2, 2, 0, 2])
NEW = RNG.poisson(0.7, (3, 5)).astype(float)


def learned(counts, labels, classes, alpha, words):
    from assignments.foundations.naive_bayes import fit

    return list(fit(counts, labels, classes, alpha, words))


def judged(counts, log_prior, log_likelihood):
    from assignments.foundations.naive_bayes import log_posterior

    return log_posterior(counts, log_prior, log_likelihood)


def refusal(counts, labels, alpha):
    from assignments.foundations.naive_bayes import fit
    from keras_course.base import InputError

    try:
        fit(counts, labels, 3, alpha)
    except InputError as error:
        return str(error)
    return "accepted"


def run_on(train, validation, test):
    """A run on texts of two classes: how many words it learned, and what was scored."""
    from unittest import mock

    from assignments.foundations import naive_bayes
    from keras_course import data

    import numpy as np

    parts = [data.Split(np.array(texts), np.arange(len(texts)) % 2) for texts in (train, validation, test)]
    splits = data.Splits(*parts, name="made", source="small", classes=("a", "b"), licence="none")
    with mock.patch.object(data, "load", return_value=splits):
        result = naive_bayes.run(naive_bayes.Settings(alphas=(1.0,)), None)
    return {"scores": result.scores, "parameters": result.parameters}


@points(3)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_probabilities_are_those_of_scikit_learn(subject):
    for alpha in (1.0, 0.2):
        expected = MultinomialNB(alpha=alpha).fit(COUNTS, LABELS)
        prior, likelihood = subject(learned, counts=COUNTS, labels=LABELS, classes=3, alpha=alpha, words=None)
        same(prior, expected.class_log_prior_, what="log priors")
        same(likelihood, expected.feature_log_prob_, what="log probabilities of the words")
        received = subject(judged, counts=NEW, log_prior=prior, log_likelihood=likelihood)
        same(received, expected.predict_log_proba(NEW), what="log posteriors")


def test_the_words_of_a_class_are_as_probable_as_smoothing_makes_them(subject):
    """By hand: counts 3 and 0 with α = 1 are 4/5 and 1/5."""
    prior, likelihood = subject(
        learned,
        counts=np.array([[2.0, 0], [1, 0], [0, 4]]),
        labels=np.array([0, 0, 1]),
        classes=2,
        alpha=1.0,
        words=None,
    )
    same(np.exp(prior), np.array([2 / 3, 1 / 3]), what="priors")
    same(np.exp(likelihood), np.array([[0.8, 0.2], [1 / 6, 5 / 6]]), what="probabilities of the words")


@points(2)
def test_a_word_that_no_class_showed_leaves_every_class_possible(subject):
    counts = np.hstack([COUNTS, np.zeros((7, 1))])
    prior, likelihood = subject(learned, counts=counts, labels=LABELS, classes=3, alpha=1.0, words=None)
    assert np.isfinite(likelihood).all(), "a probability of 0"
    unseen = np.zeros((1, 6))
    unseen[0, 5] = 1
    posterior = np.exp(subject(judged, counts=unseen, log_prior=prior, log_likelihood=likelihood))
    same(posterior.sum(), 1.0)
    assert (posterior > 0).all()


@points(2)
def test_a_text_of_ten_thousand_words_has_posteriors_that_sum_to_one(subject):
    prior, likelihood = np.log([0.5, 0.5]), np.log([[0.3, 0.7], [0.31, 0.69]])
    posterior = subject(judged, counts=np.array([[6000.0, 4000]]), log_prior=prior, log_likelihood=likelihood)
    assert np.isfinite(posterior).all()
    same(np.exp(posterior).sum(axis=1), np.ones(1))
    ratio = 6000 * np.log(0.31 / 0.3) + 4000 * np.log(0.69 / 0.7)
    same(posterior[0, 1] - posterior[0, 0], ratio, what="the log odds")


def test_the_prior_decides_where_words_do_not(subject):
    posterior = subject(
        judged, counts=np.zeros((1, 2)), log_prior=np.log([0.9, 0.1]), log_likelihood=np.log(np.full((2, 2), 0.5))
    )
    same(np.exp(posterior), np.array([[0.9, 0.1]]))


def test_what_cannot_be_counted_is_refused(subject):
    """α of 0, an empty vocabulary and labels outside the classes get a sentence."""
    cases = [
        (COUNTS, LABELS, 0.0, "`alpha` must be above 0"),
        (COUNTS, LABELS, -1.0, "`alpha` must be above 0"),
        (COUNTS[:, :0], LABELS, 1.0, "`counts` must be of at least one word: the vocabulary is empty"),
        (COUNTS, LABELS + 1, 1.0, "`labels` must be a class from 0 to 2"),
    ]
    for counts, labels, alpha, begins in cases:
        received = subject(refusal, counts=counts, labels=labels, alpha=alpha)
        assert received.startswith(begins), f"{received!r}, expected {begins!r}"


@points(2)
def test_the_vocabulary_is_that_of_the_training_texts(subject):
    """Words that stand in validation or test texts alone are unknown."""
    found = subject(
        run_on, train=["one two", "three four"] * 3, validation=["five", "six"], test=["one seven", "four eight"]
    )
    same(found["parameters"]["naive Bayes"], 2 * (4 + 1) + 2, what="numbers learned: four words and the unknown, twice")
    same(found["scores"]["unknown_words"], 0.5, what="the share of unknown words in the test texts")
    same(found["scores"]["test_accuracy"], 1.0, what="test_accuracy")


def test_counts_are_those_of_scikit_learn():
    texts = ["the cat the dog", "a dog!", "birds, cats"]
    vocabulary = data.Vocabulary.of(texts)
    theirs = CountVectorizer(vocabulary=list(vocabulary.words), token_pattern=r"\w+").fit_transform(texts).toarray()
    np.testing.assert_array_equal(count_words(texts, vocabulary).toarray()[:, :-1], theirs)
    np.testing.assert_array_equal(count_words(["the bee", "dog"], vocabulary).toarray()[:, -1], [1, 0])


def test_the_worked_example_has_the_numbers_of_the_source():
    rows = worked_example()
    assert round(rows[0]["P(business | words)"], 3) == 0.714
    assert (rows[1]["P(business, words)"], rows[1]["P(weather, words)"]) == (0, 0)
    assert f"{rows[2]['P(business, words)']:.1e} {rows[2]['P(weather, words)']:.1e}" == "3.6e-05 2.2e-05"
    assert rows[3]["P(business | words)"] > 0.5


def test_a_calibrated_posterior_lies_on_the_diagonal():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1, 40_000)
    labels = (rng.uniform(size=len(p)) > p).astype(int)
    sure, right = calibration(np.stack([p, 1 - p], axis=1), labels)
    np.testing.assert_allclose(sure, right, atol=5 * np.sqrt(0.25 / 4000))


def test_the_full_set_is_the_news():
    assert (EXERCISE.full.dataset, EXERCISE.full.source) == ("ag_news", "full")


FILE = "assignments/foundations/naive_bayes.py"
MUTANTS = [
    Mutant(
        file=FILE,
        old="np.log(by_class + alpha) - np.log(total)",
        new="np.log(np.maximum(by_class, 1e-300)) - np.log(total)",
        caught_by="test_the_words_of_a_class_are_as_probable_as_smoothing_makes_them",
        trap="smoothing in the denominator only",
    ),
    Mutant(
        file=FILE,
        old="    require_fit(counts, labels, classes, alpha)\n    member",
        new="    alpha = 0.0\n    member",
        caught_by="test_a_word_that_no_class_showed_leaves_every_class_possible",
        trap="an unseen word gives probability 0",
    ),
    Mutant(
        file=FILE,
        old="np.log(member.mean(axis=0))",
        new="np.log(np.full(classes, 1 / classes))",
        caught_by="test_probabilities_are_those_of_scikit_learn",
        trap="the prior forgotten",
    ),
    Mutant(
        file=FILE,
        old="by_class.sum(axis=1, keepdims=True) + alpha",
        new="member.sum(axis=0)[:, None] + alpha",
        caught_by="test_the_words_of_a_class_are_as_probable_as_smoothing_makes_them",
        trap="counts divided by texts instead of words",
    ),
    Mutant(
        file=FILE,
        old="alpha * (words or counts.shape[1])",
        new="alpha",
        caught_by="test_probabilities_are_those_of_scikit_learn",
        trap="α added once to the denominator, not for each word",
    ),
    Mutant(
        file=FILE,
        old="return joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)",
        new="return joint - np.log(np.exp(joint).sum(axis=1, keepdims=True))",
        caught_by="test_a_text_of_ten_thousand_words_has_posteriors_that_sum_to_one",
        trap="a product of probabilities that underflows",
    ),
    Mutant(
        file=FILE,
        old="joint = counts @ log_likelihood.T + log_prior",
        new="joint = counts @ log_likelihood.T",
        caught_by="test_the_prior_decides_where_words_do_not",
        trap="the prior left out of the posterior",
    ),
    Mutant(
        file=FILE,
        old="data.Vocabulary.of(splits.train.x, at_least",
        new="data.Vocabulary.of([*splits.train.x, *splits.test.x], at_least",
        caught_by="test_the_vocabulary_is_that_of_the_training_texts",
        trap="a vocabulary of the test texts too",
    ),
    Mutant(
        file=FILE,
        old='require(alpha > 0, "alpha"',
        new='require(alpha >= 0, "alpha"',
        caught_by="test_what_cannot_be_counted_is_refused",
        trap="α of 0 let in",
    ),
]
