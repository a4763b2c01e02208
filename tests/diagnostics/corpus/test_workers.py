from keras_course.diagnostics.corpus import cases, workers


def test_cases_are_done_in_processes_that_end(monkeypatch):
    started = []
    start = workers.Worker.__init__

    def noted(self, function):
        start(self, function)
        started.append(self.process)

    monkeypatch.setattr(workers.Worker, "__init__", noted)
    monkeypatch.setattr(workers, "PROCESSES", 1)
    chosen = [c for c in cases("development") if c.name in ("deep_wine/healthy-0", "deep_wine/dead_units")]
    found = dict(workers.spread("keras_course.diagnostics.corpus.measure:run", chosen))
    assert found["deep_wine/healthy-0"]["score"] > found["deep_wine/dead_units"]["score"]
    assert len(started) == 1
    assert all(process.wait(timeout=20) is not None for process in started)


def test_a_process_that_fails_is_said_to_have():
    worker = workers.Worker("no_such_module:function")
    assert "error" in worker.run("deep_wine/healthy-0")
    assert worker.spent
