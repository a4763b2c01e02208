"""The lines of a script as they stand in its file, each with the function that it belongs to."""

import ast
from collections.abc import Container, Iterator


def scoped(tree: ast.AST, functions: Container[int], begins: int = 0) -> Iterator[tuple[ast.AST, int]]:
    """The nodes of a script, the inner ones first, and the line on which their function begins, that of its decorator
    where it has one; 0 outside of those in `functions`.

    Nothing of other functions that have arguments: what these are called with is not known.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Lambda | ast.AsyncFunctionDef):
            continue
        inside = begins
        if isinstance(node, ast.FunctionDef):
            inside = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if inside not in functions:
                if node.args.args or node.args.kwonlyargs or node.args.posonlyargs:
                    continue
                inside = begins
        yield from scoped(node, functions, inside)
        yield node, begins


def called(function: ast.expr) -> str:
    """The name of a function, without what it belongs to."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
