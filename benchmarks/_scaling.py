"""Fills the two tables of docs/scaling.md: what a second machine costs, and how many cores feed one accelerator.

    python -m benchmarks._scaling

The seconds are those of the records in `benchmarks/records`, the parameters those of the nets that they measured.
"""

import importlib
import json
import re

from keras_course.base import ROOT
from keras_course.bench.report import RECORDS
from keras_course.report import markdown
from keras_course.runs import write_atomically

PAGE = ROOT / "docs" / "scaling.md"
NETS = ("steps_mlp", "steps_cifar_cnn", "steps_densenet", "steps_lstm", "steps_transformer")
NETWORKS = {"1 Gbit/s": 125e6, "10 Gbit/s": 1.25e9}  # bytes a second
WORKERS = 2
EATEN = 5_000  # examples a second, of a middling accelerator on small images
INPUTS = {
    "images of 28 × 28, shuffled": ("inputs_mnist", "ours", 28 * 28 * 4),
    "images of 32 × 32 × 3, cropped and mirrored": ("inputs_cifar", "ours", 32 * 32 * 3 * 4),
    "JPEG of 96 × 96 × 3, decoded once": ("inputs_files", "ours, decoded once", 96 * 96 * 3 * 4),
    "JPEG of 96 × 96 × 3, decoded each epoch": ("inputs_files", "ours, decoded each epoch", 96 * 96 * 3 * 4),
}


def measured(workload, variant):
    """The record of one variant of a workload, which its name begins with."""
    rows = json.loads((RECORDS / f"{workload}.json").read_text())["variants"]
    return next(row for row in rows if row["variant"].startswith(variant))


def machines():
    """A row for each net: its gradients on the way, and the efficiency that is left, for two workers."""
    for name in NETS:
        net = importlib.import_module(f"benchmarks.{name}").NET
        examples = len(net.arrays()[1])
        step = measured(name, "ours")["wall"]["median"] / (examples // net.batch)
        parameters = net.model().count_params()
        sent = 2 * (WORKERS - 1) / WORKERS * 4 * parameters
        row = {
            "net": name.removeprefix("steps_"),
            "P": f"{parameters:,}",
            "t": f"{step * 1e3:.1f} ms",
            "bytes a step": f"{sent / 1e6:.2f} MB",
        }
        yield row | {f"efficiency at {label}": f"{step / (step + sent / rate):.2f}" for label, rate in NETWORKS.items()}


def cores():
    """A row for each kind of input: what one core prepares, and how many an accelerator needs."""
    for label, (workload, variant, size) in INPUTS.items():
        n = importlib.import_module(f"benchmarks.{workload}").N
        rate = n / measured(workload, variant)["cpu"]["median"]
        yield {
            "input": label,
            "r": f"{rate:,.0f} a second",
            f"cores at E = {EATEN:,}": f"{EATEN / rate:.2g}",
            "from the service": f"{EATEN * size / 1e6:.0f} MB/s",
        }


def main():
    text = PAGE.read_text()
    for name, rows in {"machines": machines(), "cores": cores()}.items():
        marks = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        table = f"{marks[0]}\n{markdown(list(rows)).strip()}\n\n{marks[1]}"
        text = re.sub(f"{marks[0]}.*?{marks[1]}", lambda _, table=table: table, text, flags=re.DOTALL)
    write_atomically(PAGE, text)


if __name__ == "__main__":
    main()
