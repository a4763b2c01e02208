"""Kills a search before and behind everything it writes, and starts it again: `python -m … FOLDER METHOD STRIDE`.

Each search runs in a fork of this process, which has imported TensorFlow once and never used it. Prints a JSON object:
how many moments there were, and for each that went wrong what did.
"""

import gc
import json
import os
import signal
import sys
import traceback
from pathlib import Path

from tests.tuning import made

GRIDDED = {"grid": made.GRID, "bayesian": made.GRID}


def fork(work):
    """Runs `work` in a process of its own; the signal or status that it ended with."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def counted(kill_at=None, say=None):
    """Makes this process kill itself at the moment `kill_at`: two for each file, before and behind its replacement."""
    replace, moment = os.replace, [0]

    def pass_by():
        if moment[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        moment[0] += 1
        if say:
            say.write_text(str(moment[0]))

    def replaced(*args):
        pass_by()
        replace(*args)
        pass_by()

    os.replace = replaced


def searching(folder, method, *, kill_at=None, say=None, resume=False):
    def work():
        os.environ["TUNING_TEST_LOG"] = str(folder / "begun")
        made.pretend()
        gc.collect = lambda: 0  # which takes most of the time of a training that is pretended
        counted(kill_at, say)
        result = made.run(folder, space=GRIDDED.get(method), method=method, epochs=3, trials=TRIALS, resume=resume)
        os.environ["TUNING_TEST_LOG"] = ""
        (folder / "facts.json").write_text(json.dumps(made.facts(result)))

    return work


TRIALS = 5


def main(folder, method, stride):
    unbroken = folder / "unbroken"
    unbroken.mkdir(parents=True)
    assert fork(searching(unbroken, method, say=unbroken / "moments")) == 0
    expected = json.loads((unbroken / "facts.json").read_text())
    moments, wrong = int((unbroken / "moments").read_text()), {}
    tested = range(0, moments, stride)
    for moment in tested:
        broken = folder / str(moment)
        broken.mkdir()
        killed = fork(searching(broken, method, kill_at=moment))
        status = fork(searching(broken, method, resume=True))
        repeated = len(made.begun(broken / "begun")) - len(made.begun(unbroken / "begun"))
        same = status == 0 and json.loads((broken / "facts.json").read_text()) == expected
        if killed != -signal.SIGKILL or not same or repeated > 1:
            wrong[moment] = {"killed": killed, "status": status, "same": same, "repeated": repeated}
    print(json.dumps({"moments": len(tested), "trials": len(expected), "wrong": wrong}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
