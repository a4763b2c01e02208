"""The server's answers: several runs, one that goes on, none, and names that hold markup."""

import json
import re
import time

from keras_course.diagnostics import tensorboard
from keras_course.diagnostics.causes import CAUSES
from keras_course.diagnostics.plugin.app import STATIC, Plugin
from tests.diagnostics.made import FINDING, observation

import numpy as np
import pytest
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.plugins import base_plugin
from werkzeug.test import Client


def client(folder):
    """Answers the plugin's routes for the event files in `folder`, with its own reader."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={"scalars": 1000})
    multiplexer.AddRunsFromDirectory(str(folder)).Reload()
    plugin = Plugin(
        base_plugin.TBContext(data_provider=data_provider.MultiplexerDataProvider(multiplexer, str(folder)))
    )
    apps = plugin.get_plugin_apps()
    return Client(lambda environ, start: apps[environ["PATH_INFO"]](environ, start))


def get(folder, path):
    return json.loads(client(folder).get(path).text)


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    tensorboard.Writer(folder / "bad").update(observation(7), [FINDING], finished=True)
    tensorboard.Writer(folder / "good").update(observation(3), [], finished=True)
    open_ = tensorboard.Writer(folder / "open")
    for count in (2, 4):
        open_.update(observation(count), [], finished=False)
    return folder


def test_runs_are_listed_with_state_and_causes(logs):
    assert get(logs, "/runs") == {
        "runs": [
            {"run": "bad", "name": "train", "finished": True, "quiet": False, "step": 7, "causes": ["dead_units"]},
            {"run": "good", "name": "train", "finished": True, "quiet": False, "step": 3, "causes": []},
            {
                "run": "open",
                "name": "train",
                "finished": False,
                "quiet": False,
                "step": 4,
                "causes": [],
            },  # the last word, not the first
        ]
    }


def test_a_run_without_news_for_a_minute_is_quiet(logs, monkeypatch):
    now = time.time()
    for seconds, quiet in ((0, False), (120, True)):
        monkeypatch.setattr(time, "time", lambda seconds=seconds: now + seconds)
        assert {run["quiet"] for run in get(logs, "/runs")["runs"]} == {quiet}


def test_without_runs_the_list_is_empty_and_the_tab_is_there(tmp_path):
    assert get(tmp_path, "/runs") == {"runs": []}
    assert Plugin(base_plugin.TBContext()).is_active()


def test_runs_of_others_are_left_out(logs, tmp_path):
    (tmp_path / "plain").mkdir()
    written = next((logs / "good").iterdir()).read_bytes()
    (tmp_path / "plain" / "events.out.tfevents.1.host").write_bytes(written.replace(b"keras_course", b"someone_else"))
    assert get(tmp_path, "/runs") == {"runs": []}


def test_a_run_comes_with_its_findings_and_series(logs):
    run = get(logs, "/run?name=bad")
    assert run["findings"][0]["evidence"] == FINDING.evidence
    assert run["findings"][0]["repair"] == CAUSES["dead_units"].repair
    assert run["loss"]["steps"] == list(range(7))
    np.testing.assert_allclose(run["loss"]["values"], 2 / (1 + np.arange(7)), rtol=1e-6)
    assert run["val_loss"] == {"steps": [0], "values": [1.75]}


def test_maps_are_unit_by_step(logs):
    maps = get(logs, "/run?name=bad")["maps"]
    assert maps["activation_mean"] == {
        "units": ["dense", "out"],
        "steps": [0, 2, 4, 6],
        "values": [[0.25, 2.25, 4.25, 6.25], [-1.5] * 4],
    }
    assert maps["gradient_norm"]["units"] == ["dense"]  # the other has no gradient
    assert "saturated_share" not in maps  # never measured


def test_a_run_that_is_not_there_is_said(logs):
    answer = client(logs).get("/run?name=bed")
    assert answer.status_code == 404
    assert json.loads(answer.text) == {"error": "There is no run 'bed' with a diagnosis."}


def test_numbers_that_are_none_are_valid_json(tmp_path):
    seen = observation(3)
    seen.steps.all_losses[:] = [1.0, np.inf, np.nan]
    tensorboard.Writer(tmp_path / "a").update(seen, [], finished=True)
    assert get(tmp_path, "/run?name=a")["loss"]["values"] == [1.0, "Infinity", "NaN"]


def test_markup_in_names_stays_text(tmp_path):
    """It travels as JSON, and the page sets it as text: no file of the page takes a string for markup."""
    name = "<b>x</b>"
    tensorboard.Writer(tmp_path / "<i>run</i>").update(observation(3, name=name, layer=name), [], finished=True)
    answer = client(tmp_path).get("/run?name=%3Ci%3Erun%3C/i%3E")
    assert answer.content_type == "application/json"
    run = json.loads(answer.text)
    assert run["name"] == name
    assert run["maps"]["gradient_norm"]["units"] == [name]
    for file in STATIC.glob("*.js"):
        text = file.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text), file.name


def test_a_page_on_each_cause_is_served(logs):
    pages = get(logs, "/causes")["causes"]
    assert sorted(page["name"] for page in pages) == sorted(CAUSES)
    assert all(page[part] for page in pages for part in ("what", "symptoms", "apart", "repair"))


def test_every_file_is_served_with_the_type_that_browsers_ask_for(logs):
    for path in STATIC.iterdir():
        answer = client(logs).get(f"/static/{path.name}")
        expected = {".js": "text/javascript", ".css": "text/css"}[path.suffix]
        assert answer.content_type.startswith(expected)
        assert answer.text == path.read_text("utf-8")


def test_the_page_needs_no_network_and_every_import_exists():
    for path in STATIC.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//cdn" not in text
        assert not re.search(r"https?://|@import|url\(", text), path.name
        for name in re.findall(r"from '\./([^']+)'", text):
            assert (STATIC / name).exists(), name


def test_the_entry_module_is_among_the_routes():
    plugin = Plugin(base_plugin.TBContext())
    assert plugin.frontend_metadata().es_module_path in plugin.get_plugin_apps()
    assert plugin.frontend_metadata().tab_name == "Diagnosis"
