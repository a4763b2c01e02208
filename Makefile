# Two commands: `make demo` and `make test`. Both make the virtual environment first when it is not there.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint clean

demo: .venv/run
	$(BIN)/keras-course run vision/densenet

test: .venv/test
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: .venv/lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# A stamp for each set of packages; a change of the lists installs again.
.venv/run .venv/test .venv/lint: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".$(if $(filter-out run,$(@F)),[$(@F)],)"
	touch $@

clean:
	rm -rf .venv build *.egg-info
