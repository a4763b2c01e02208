"""A search with workers, to be killed: `python -m tests.tuning.chief FOLDER WORKERS [resume]`."""

import json
import sys
from pathlib import Path

from tests.tuning import made

if __name__ == "__main__":
    folder, workers = Path(sys.argv[1]), int(sys.argv[2])
    found = made.run(folder, builder=made.slow, workers=workers, trials=4, epochs=1, resume="resume" in sys.argv)
    (folder / "facts.json").write_text(json.dumps(made.facts(found)))
