"""The server's side of the tab: its files, and what it shows of each run, as JSON."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_course.diagnostics import guide
from keras_course.diagnostics.plugin.series import Series, curve, table
from keras_course.diagnostics.points import QUANTITIES
from keras_course.diagnostics.verdict import PLUGIN

from tensorboard import plugin_util
from tensorboard.backend import http_util
from tensorboard.data.provider import RunTagFilter
from tensorboard.plugins import base_plugin
from tensorboard.plugins.scalar.metadata import PLUGIN_NAME as SCALARS
from werkzeug import Request, Response

STATIC = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript", ".css": "text/css"}  # a browser refuses a module of any other type
READ = 1000  # points of a series that are asked for
QUIET = 60.0  # seconds without news after which a run that has not finished may have been killed


class Plugin(base_plugin.TBPlugin):
    plugin_name = PLUGIN

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._provider = context.data_provider

    def get_plugin_apps(self) -> dict[str, Callable]:
        """Routes: the static files; `/runs`; `/run?name=` with the series of one; `/causes`, the text on each."""
        files = {f"/static/{path.name}": _file(path) for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}
        return {**files, "/runs": self._runs, "/run": self._run, "/causes": _causes}

    def is_active(self) -> bool:
        return True  # without runs the tab says how to make one

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        return base_plugin.FrontendMetadata(es_module_path="/static/index.js", tab_name="Diagnosis")

    def _runs(self, environ: dict, start_response: Callable) -> Any:
        verdicts = self._verdicts(environ, None)
        runs = [{"run": run, **_brief(verdicts[run])} for run in sorted(verdicts)]
        return _json(environ, start_response, {"runs": runs})

    def _run(self, environ: dict, start_response: Callable) -> Any:
        name = Request(environ).args.get("name", "")
        found = self._verdicts(environ, [name])
        if name not in found:
            return _json(environ, start_response, {"error": f"There is no run {name!r} with a diagnosis."}, 404)
        about, scalars = found[name], self._scalars(environ, name)
        units = [unit["tag"] for unit in about["units"]]
        maps = {quantity: table(scalars, quantity, units) for quantity in QUANTITIES}
        answer = {
            "run": name,
            **about,
            "loss": curve(scalars.get("loss", [])),
            "val_loss": curve(scalars.get("epoch/val_loss", [])),
            "maps": {quantity: found for quantity, found in maps.items() if found["steps"]},
        }
        return _json(environ, start_response, answer)

    def _verdicts(self, environ: dict, runs: list[str] | None) -> dict[str, Any]:
        """The last verdict of each run that has one, or of those of `runs`."""
        found = self._provider.read_tensors(
            plugin_util.context(environ),
            experiment_id=plugin_util.experiment_id(environ),
            plugin_name=PLUGIN,
            downsample=READ,
            run_tag_filter=RunTagFilter(runs=runs, tags=["diagnosis"]),
        )
        last = {run: tags["diagnosis"][-1] for run, tags in found.items() if tags["diagnosis"]}
        return {run: json.loads(datum.numpy.item()) | _heard(datum.wall_time) for run, datum in last.items()}

    def _scalars(self, environ: dict, run: str) -> dict[str, Series]:
        found = self._provider.read_scalars(
            plugin_util.context(environ),
            experiment_id=plugin_util.experiment_id(environ),
            plugin_name=SCALARS,
            downsample=READ,
            run_tag_filter=RunTagFilter(runs=[run]),
        )
        return {tag: [(datum.step, datum.value) for datum in data] for tag, data in found.get(run, {}).items()}


def _brief(about: dict[str, Any]) -> dict[str, Any]:
    named = [finding["cause"] for finding in about["findings"] if finding["kind"] == "named"]
    return {key: about[key] for key in ("name", "finished", "quiet", "step")} | {"causes": named}


def _heard(wall_time: float) -> dict[str, bool]:
    return {"quiet": time.time() - wall_time > QUIET}


def _file(path: Path) -> Callable:
    def serve(environ: dict, start_response: Callable) -> Any:
        return http_util.Respond(Request(environ), path.read_text("utf-8"), TYPES[path.suffix])(environ, start_response)

    return serve


def _causes(environ: dict, start_response: Callable) -> Any:
    return _json(environ, start_response, {"causes": guide.pages()})


def _json(environ: dict, start_response: Callable, answer: dict[str, Any], code: int = 200) -> Any:
    """`answer` as JSON, with NaN and infinity as the strings "NaN", "Infinity" and "-Infinity"."""
    response: Response = http_util.Respond(Request(environ), answer, "application/json", code=code)
    return response(environ, start_response)
