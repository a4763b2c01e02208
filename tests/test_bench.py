import ast

from keras_course.base import ROOT
from keras_course.bench import Goal, Limit, Variant, Workload, harness

import pytest

PATHS = harness.workloads()


def test_goals_name_variants_that_are_there():
    variants = {"ours": Variant(prepare=lambda: dict), "theirs": Variant(prepare=lambda: dict)}
    Workload(title="", variants=variants, goals=(Goal("theirs", 2), Goal("theirs", 2, of="ours")))
    for goal in (Goal("other", 2), Goal("theirs", 2, of="other"), Limit("other", 1)):
        with pytest.raises(ValueError, match=r"goals against variants that are not there: \['other'\]"):
            Workload(title="", variants=variants, goals=(goal,))


@pytest.mark.parametrize("name", PATHS)
def test_every_workload_says_what_it_measures_and_waits_with_its_imports(name):
    workload = harness.load(PATHS[name])
    assert workload.title.strip()
    assert workload.variants
    tree = ast.parse(PATHS[name].read_text())
    heavy = {"tensorflow", "keras", "torch", "jax", "grain"}
    top = [a.name for node in tree.body if isinstance(node, ast.Import) for a in node.names]
    assert not heavy & {name.split(".")[0] for name in top}, "import it where the variant is prepared"
    for variant in workload.variants.values():
        assert variant.peer in ("", *heavy)


def test_the_folder_is_the_registry():
    assert {path.parent for path in PATHS.values()} == {ROOT / "benchmarks"}
    assert not any(name.startswith("_") for name in PATHS)
