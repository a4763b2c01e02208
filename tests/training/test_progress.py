import io

from keras_course.training.progress import display


class Terminal(io.StringIO):
    def isatty(self):
        return True


def one_epoch(show):
    show.step(0, 2, {"loss": 0.75})
    show.epoch(0, {"loss": 0.5, "val_loss": 0.625})
    show.compiled(1.25)


def test_away_from_a_terminal_there_is_one_plain_line_an_epoch(capsys):
    with display("teacher", epochs=3, steps=5) as show:
        one_epoch(show)
    printed = capsys.readouterr()
    assert printed.err == "teacher  epoch 1/3  loss 0.5  val_loss 0.625\nteacher  traced and compiled in 1.2 s\n"
    assert printed.out == ""


def test_progress_off_is_silent(capsys):
    with display("teacher", epochs=3, steps=5, progress=False) as show:
        one_epoch(show)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_with_stage_epoch_and_values(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    with display("teacher", epochs=3, steps=5) as show:
        one_epoch(show)
    for words in ("teacher", "epoch 1/3", "loss 0.5", "val_loss 0.625", "traced and compiled in 1.2 s"):
        assert words in terminal.getvalue()


def test_an_unknown_number_of_steps_still_shows_a_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with display("teacher", epochs=3, steps=0) as show:
        one_epoch(show)
    assert "epoch 1/3" in terminal.getvalue()


def test_only_one_display_is_live(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with display("outer", epochs=3, steps=5), display("inner", epochs=3, steps=5) as inner:
        one_epoch(inner)
    assert "inner" not in terminal.getvalue()
    with display("later", epochs=3, steps=5) as show:
        one_epoch(show)
    assert "later" in terminal.getvalue()
