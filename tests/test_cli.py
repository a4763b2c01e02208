import json
import os
import re
import subprocess
import sys
import time

from keras_course import cli, exercise
from keras_course.base import ROOT

import pytest

SLUG = "tfdata_order"
NAME = f"training/{SLUG}"


def call(*argv, **environment):
    """`keras-course` in a process of its own: status, output and errors."""
    answer = subprocess.run(
        [sys.executable, "-m", "keras_course", *map(str, argv)],
        cwd=ROOT,
        env=os.environ | {key: str(value) for key, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=280,
    )
    return answer.returncode, answer.stdout, answer.stderr


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["rum"], r"No command named 'rum'\. Did you mean 'run'\? There are: arithmetic, "),
        (["run", "vision/dense"], r"No assignment named 'vision/dense'\. Did you mean 'vision/densenet'\? There are: "),
        (["run", NAME, "--epoch", "3"], r"No flag '--epoch'\. Did you mean '--epochs'\?"),
        (["run", NAME, "--epochs", "0"], r"`epochs` must be a whole number of at least 1\. Received: 0\."),
        (["run", NAME, "--epochs", "many"], r"`epochs` must be a whole number of at least 1\. Received: 'many'\."),
        (["run", NAME, "--dataset", "mnits"], r"`dataset` must be one of mnist, fashion_mnist\. Received: 'mnits'\."),
        (["run", NAME, "--dataset", "fashion_mnist"], r"fashion_mnist.*mnist"),
        (["run", NAME, "--full"], r"`mnist`.*data fetch mnist"),
        (["run", NAME, "--record", "--epochs", "4"], r"`--record` needs the settings of a preset.*epochs 3 against 4"),
        (["run", NAME, "--record", "--quick"], r"`--record` needs the settings of a preset.*quick"),
        (["run", NAME, "--record", "--seeds", "2"], r"`--seeds` must be at least 3 for a record"),
        (["run", NAME, "--record", "--resume"], r"`--record` and `--resume` exclude each other"),
        (["run", NAME, "--resume"], r"`--resume` needs a run of training/tfdata_order that was broken off"),
        (["run", NAME, "--small", "--full"], r"not allowed with argument"),
        (["run"], r"required: name"),
        (["data", "mnits"], r"No data set named 'mnits'\. Did you mean 'mnist'\?"),
        (["data", "fetch"], r"`data fetch` needs a name\. There are: "),
        (["list", "--folder", "visoin"], r"No folder named 'visoin'\. Did you mean 'vision'\?"),
        (["board", NAME], r"`board` needs runs to show"),
        (["board", "--search", "nothing"], r"No search named 'nothing'"),
        (["handout", "nothing", "x"], r"No assignment named 'nothing'"),
        (["check", "nothing"], r"No assignment named 'nothing'"),
    ],
)
def test_bad_input_is_one_sentence_on_standard_error_and_status_2(argv, words, tmp_path, monkeypatch, capfd):
    for module in (cli, sys.modules["keras_course.runs"]):
        monkeypatch.setattr(module, "LOGS", tmp_path)
    monkeypatch.setattr(cli.Run.__init__, "__kwdefaults__", cli.Run.__init__.__kwdefaults__ | {"logs": tmp_path})
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no data"))
    assert cli.main(argv) == 2
    out, error = capfd.readouterr()
    assert out == ""
    assert error.count("\n") == 1, "one sentence, one line"
    assert re.search(words, error), error
    assert not any(tmp_path.iterdir()), "nothing half-written is left"


def test_logs_that_cannot_be_written_are_refused_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    status, out, error = call("run", NAME, "--quick", KERAS_COURSE_LOGS=tmp_path / "file" / "logs")
    assert (status, out) == (2, "")
    assert re.fullmatch(r"keras-course: `logs` must be a folder that can be written\. Received: .*\n", error)


def test_a_run_ends_with_its_scores_and_says_where_the_report_is(tmp_path):
    status, out, error = call("run", NAME, "--quick", KERAS_COURSE_LOGS=tmp_path)
    assert status == 0, error
    (folder,) = (tmp_path / NAME).iterdir()
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["preset"] == "quick"
    assert all(score in out for score in metrics["scores"])
    assert str(folder / "report.md") in out
    assert f"keras-course board {NAME}" in out
    assert "\x1b" not in out + error, "colours only on a terminal"
    noise = [line for line in error.splitlines() if "0000" in line or "WARNING" in line or "Warning" in line]
    assert not noise, "TensorFlow's start-up lines"


def scores_of(folder):
    return json.loads((folder / "metrics.json").read_text())["scores"]


def test_a_run_that_is_killed_and_resumed_ends_with_the_scores_of_one_that_was_not(tmp_path):
    argv = ["run", "training/linear_to_deep", "--quick"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert call(*argv, KERAS_COURSE_LOGS=whole)[0] == 0
    child = subprocess.Popen(
        [sys.executable, "-m", "keras_course", *argv],
        cwd=ROOT,
        env=os.environ | {"KERAS_COURSE_LOGS": str(broken)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while child.poll() is None and len(list(broken.glob("training/*/*/checkpoints/*.npz"))) < 2:
        time.sleep(0.05)
    child.kill()
    child.wait()
    (folder,) = broken.glob("training/*/*")
    assert not (folder / "metrics.json").exists(), "it was killed in the middle"
    status, _, error = call(*argv, "--resume", "--epochs", "2", KERAS_COURSE_LOGS=broken)
    assert (status, "epochs 1 against 2" in error) == (2, True)
    status, _, error = call(*argv, "--resume", KERAS_COURSE_LOGS=broken)
    assert status == 0, error
    assert "mnist_linear  epoch" not in error, "a stage that was complete is not trained again"
    assert scores_of(folder) == scores_of(next(whole.glob("training/*/*")))


def test_a_script_does_what_run_does():
    script = f"assignments/{NAME}.py"
    answer = subprocess.run(
        [sys.executable, script, "--epochs", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "keras-course: `epochs` must be a whole number of at least 1. Received: 0.\n"


def test_a_script_answers_for_its_settings_without_importing_tensorflow(tmp_path):
    program = (
        f"import runpy, sys; sys.argv = ['{SLUG}.py', '--epochs', '0']\n"
        f"try: runpy.run_path('assignments/{NAME}.py', run_name='__main__')\n"
        "except SystemExit as end: print(end.code, 'tensorflow' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert answer.stdout == "2 False\n"


def test_a_flag_behind_the_script_is_the_scripts_and_that_is_said(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import sys\nprint(sys.argv[1:])\n")
    status, output, errors = call("diagnose", script, "--verify")
    assert (status, "['--verify']" in output) == (0, True)
    assert "`--verify` stands behind" in errors
    assert "stands behind" not in call("diagnose", "--verify", script)[2]


def test_help_shows_every_setting_with_its_comment(capsys):
    with pytest.raises(SystemExit):
        cli.main(["run", NAME, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--numbers" in shown
    assert "length of the stream on which the orders are measured" in shown


def test_list_has_a_row_for_each_assignment_and_filters(capsys):
    assert cli.main(["list"]) == 0
    everything = capsys.readouterr().out
    assert all(name in everything for name in exercise.names())
    cli.main(["list", "densenet"])
    found = capsys.readouterr().out
    assert "vision/densenet" in found
    assert NAME not in found
    cli.main(["list", "--folder", "training", "--state", "none"])
    assert "vision/" not in capsys.readouterr().out


def test_overview_names_every_command(capsys):
    assert cli.main([]) == cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {verb} " in shown for verb in cli.VERBS)


def test_data_says_what_each_set_is_and_whether_it_is_here(capsys):
    assert cli.main(["data", "mnist"]) == 0
    shown = capsys.readouterr().out
    assert "small" in shown
    assert "full" in shown
    assert "fashion_mnist" not in shown


def test_the_installed_command_finds_the_benchmarks_from_anywhere(tmp_path):
    program = "from keras_course.cli import main; raise SystemExit(main(['bench', '--list']))"
    # -P: nothing but what is installed can be imported, as in a console script
    answer = subprocess.run([sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "steps_lstm" in answer.stdout


def test_python_m_keras_course_is_the_same_command():
    status, out, _ = call("--version")
    assert status == 0
    assert out.startswith("keras_course 0.")


def test_board_shows_the_newest_search_of_a_name(tmp_path, monkeypatch, capsys):
    from keras_course import board
    from keras_course.tuning import plan

    for moment in ("20260101-000000", "20260102-000000"):
        events = tmp_path / "mine" / moment / "tensorboard" / "events.out.tfevents.1"
        events.parent.mkdir(parents=True)
        events.touch()
        (tmp_path / "mine" / moment / "search.json").write_text("{}")
    monkeypatch.setattr(plan, "RUNS", tmp_path)
    monkeypatch.setattr(board, "serve", lambda folder, port: str(folder))
    monkeypatch.setattr(cli.time, "sleep", lambda seconds: None)
    assert cli.main(["board", "--search", "mine"]) == 0
    assert str(tmp_path / "mine" / "20260102-000000" / "tensorboard") in capsys.readouterr().out
