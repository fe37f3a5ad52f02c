# People type: make demo, make test, make report, make lab.
# Developers also: make lint, make format, make bench, make browser, make slow, make soak, make clean.
# Behind most stands a plain command; README gives them.

PYTHON ?= python3
BIN := .venv/bin
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
RUN_NOTEBOOKS := nbconvert --to notebook --execute --ExecutePreprocessor.record_timing=False --log-level=ERROR \
  --ExecutePreprocessor.extra_arguments=--log-level=ERROR --NotebookExporter.preprocessors=latent.report.cleaning.Clean
DEMO := $(CURDIR)/build/demo
STANDINS := LATENT_DATA=embedded LATENT_RECIPE=demo LATENT_RESULTS=$(DEMO)/results
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.PHONY: demo test lint format browser slow soak report bench lab clean
.DELETE_ON_ERROR:

# The environment, made anew when the project's dependencies change.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

# All notebooks on the embedded stand-in data: no download, no real result is touched. Leaves build/wet.pdf and build/dry.pdf.
demo: .venv/ready
	@mkdir -p $(DEMO)/results && cp -r results/study $(DEMO)/results  # the controlled comparison is shown as stored
	@echo "Each notebook on stand-in data, two at a time with one thread each, five to eight minutes in all on two cores:"
	@printf '%s\n' dry/dry.ipynb $(NOTEBOOKS) | xargs -P 2 -I {} sh -c 'begin=$$(date +%s); \
	  OMP_NUM_THREADS=1 $(STANDINS) PYTHONWARNINGS=ignore $(BIN)/jupyter $(RUN_NOTEBOOKS) --output-dir $(DEMO)/$$(dirname {}) {} || exit 255; \
	  printf "  %-38s%s s\n" {} $$(($$(date +%s) - begin))'
	@$(BIN)/latent report --notebooks $(DEMO)/notebooks --dry $(DEMO)/dry --out build
	@echo "The reports are made; every page says that its data are stand-ins."

# Unit tests, then every notebook with the tiny recipe on the stand-ins, two at a time with one thread each.
test: .venv/ready
	$(BIN)/pytest -q
	OMP_NUM_THREADS=1 LATENT_DATA=embedded LATENT_RECIPE=tiny LATENT_RESULTS=$(CURDIR)/build/test/results \
	  $(BIN)/pytest -q --nbmake --nbmake-timeout=600 -n 2 notebooks dry

# The long tests: trainings killed, files damaged, inputs of every kind, memory, load. Writes results/reliability.md.
soak: .venv/ready
	PYTHONPATH=tests $(BIN)/python -m soak

# Tests that start databases and kill processes.
slow: .venv/ready
	$(BIN)/pytest -q -m slow

# explore.ipynb in a real JupyterLab, driven in a real browser (Chromium or Chrome); pictures of it go to build/browser.
browser: .venv/ready
	$(BIN)/python -m pip install --quiet --editable '.[browser]'
	$(BIN)/pytest -q -rs browser

# The real thing: notebooks on real data with the shipped weights (trained where a recipe changed), then both PDFs.
report: .venv/ready
	$(BIN)/jupyter $(RUN_NOTEBOOKS) --inplace $(NOTEBOOKS) explore.ipynb $(wildcard dry/*.ipynb)
	$(BIN)/latent report
	$(BIN)/latent table --into README.md

# How fast, beside the usual ways: half an hour with nothing else running. Leaves results/benchmarks/float32, or bfloat16.
bench: .venv/ready
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m benchmarks

lab: .venv/ready
	$(BIN)/jupyter lab notebooks

lint: .venv/ready
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: .venv/ready
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean:
	rm -rf build
