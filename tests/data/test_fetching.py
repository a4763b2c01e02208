import shutil
import socket

from keras_course.base import InputError
from keras_course.data import catalogue, fetching

import pytest


@pytest.fixture
def archives(published, tmp_path):
    """A copy of the archives that a test may damage."""
    return shutil.copytree(published.folder, tmp_path / "archives")


def refusal(*args, **kwargs):
    with pytest.raises(InputError) as error:
        fetching.fetch(*args, **kwargs)
    return str(error.value)


def left(folder):
    return [str(path) for path in folder.rglob("*") if path.is_file()]


def test_archives_become_a_set_and_nothing_else_is_left(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    assert catalogue.is_here("mnist", "full")
    assert [path.name for path in prepared.iterdir()] == ["mnist"]
    assert [path.name for path in (prepared / "mnist").iterdir()] == ["3.0.1"]


def test_a_set_that_is_here_is_left_alone(prepared, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    before = {path: path.stat().st_mtime_ns for path in prepared.rglob("*")}
    fetching.fetch("mnist", archives=tmp_path / "nothing")
    assert {path: path.stat().st_mtime_ns for path in prepared.rglob("*")} == before


def test_a_version_without_its_description_is_replaced(archives, prepared, sets):
    shutil.copytree(prepared, sets)
    next(sets.rglob("dataset_info.json")).unlink()
    fetching.fetch("mnist", archives=str(archives))
    assert catalogue.is_here("mnist", "full")
    assert len(left(sets)) == len(left(prepared))


def test_fetching_is_quiet(archives, sets, capfd):
    fetching.fetch("mnist", archives=archives)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_archive_is_one_sentence_with_both_digests(archives, sets, damage):
    path = archives / "train-images-idx3-ubyte.gz"
    good, size = fetching.sha256(path), path.stat().st_size
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content[:5000] if damage == "cut" else content)
    assert refusal("mnist", archives=archives) == (
        f"`{path}` is damaged: expected {size} bytes with SHA-256 {good}, found {path.stat().st_size} bytes with "
        f"{fetching.sha256(path)}; get it again from "
        "https://storage.googleapis.com/cvdf-datasets/mnist/train-images-idx3-ubyte.gz."
    )
    assert left(sets) == []


def test_a_missing_archive_is_named(archives, sets):
    (archives / "t10k-labels-idx1-ubyte.gz").unlink()
    assert refusal("mnist", archives=archives) == (
        f"`archives` must hold the published files: t10k-labels-idx1-ubyte.gz not in {archives}."
    )


def test_a_builder_that_fails_leaves_nothing(archives, sets, monkeypatch):
    from tensorflow_datasets.image_classification import mnist

    def broken(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(mnist, "_extract_mnist_labels", broken)
    assert refusal("mnist", archives=archives) == (
        "`mnist` could not be prepared (No space left on device); nothing of it was kept."
    )
    assert left(sets) == []
    assert not any(sets.iterdir())


def test_without_a_network_the_answer_says_what_to_do(published, sets, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:{1}".format(*server.getsockname()))
    assert refusal("mnist") == (
        "`mnist` cannot be fetched, since storage.googleapis.com gives <urlopen error [Errno 111] Connection refused>: "
        "try again with a network, or give --archives a folder that holds t10k-images-idx3-ubyte.gz, "
        "t10k-labels-idx1-ubyte.gz, train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz."
    )
    assert left(sets) == []


@pytest.mark.parametrize("by", ["address", "proxy"])
def test_a_host_that_takes_the_call_and_stays_silent_is_given_up(monkeypatch, by):
    monkeypatch.setattr(fetching, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes calls, and never answers
        silent = "http://127.0.0.1:{1}".format(*server.getsockname())
        if by == "proxy":
            monkeypatch.setenv("http_proxy", silent)
        reason = fetching.unreachable("http://host.invalid" if by == "proxy" else silent)
    assert reason == "no answer in 0.2 seconds"


def test_a_host_that_answers_is_not_unreachable(tmp_path):
    (tmp_path / "file").touch()
    assert fetching.unreachable((tmp_path / "file").as_uri()) == ""
    assert "No such file" in fetching.unreachable((tmp_path / "other").as_uri())


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "file"))
    assert refusal("mnist") == (
        f"`TFDS_DATA_DIR` must be a folder that can be written. Received: {tmp_path / 'file'} (File exists)."
    )


@pytest.mark.parametrize("name", ["digits", "nothing"])
def test_what_has_no_full_source_is_refused(sets, name):
    assert name in refusal(name)
