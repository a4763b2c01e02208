"""Whether a script measures each class by itself, so that it matters how often a rare one is found."""

import ast
import re
from collections.abc import Iterator

# Means over classes, and measures of one class; areas under curves do not hang on where decisions are cut.
MEASURES = re.compile(r"(^|_)(balanced|recalls?|sensitivity|specificity|f1|macro)(_|$)", re.IGNORECASE)


def by_class(source: str | bytes) -> str:
    """The first name in a script that says so, as `balanced_accuracy_score` or `mean_recall`; "" without.

    Raises:
        SyntaxError: `source` is no Python.
    """
    return next((name for name in _names(ast.parse(source)) if MEASURES.search(_in_words(name))), "")


def _names(tree: ast.AST) -> Iterator[str]:
    """What a script imports, calls and assigns; a word in a text, as class_weight="balanced", measures nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.alias):
            yield node.name


def _in_words(name: str) -> str:
    """F1Score as F1_Score."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
