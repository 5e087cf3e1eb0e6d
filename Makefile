# Everything is set up in .venv; a stamp in there says that an installation is up to date with pyproject.toml.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUTPUT ?= demo-output
RUNS ?= runs
PHOTOS ?= ../shared/data/train/photos
TEACHER ?= ../shared/teacher/vgg19_16x.safetensors
# Presets are made again where the photos of their recipe are at hand; a new encoder cannot read the old ones.
PRESETS := $(if $(wildcard ../shared/data/eval/styles),$(RUNS)/presets)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-federated test check format release clean

help:
	@echo 'make demo     stylize a clip through a real edge: VIDEO=my.mp4 STYLE=photo.jpg for your own'
	@echo 'make demo-federated  a cloud and two edges that learn, on this machine (fetches torch)'
	@echo 'make test     run all tests (the first time fetches torch: up to 5 GB)'
	@echo 'make check    lint, format, types, and which package imports which'
	@echo 'make format   put the code into the house format'
	@echo 'make release  train the release from scratch, resumable: PHOTOS=folder TEACHER=vgg19_16x.safetensors'
	@echo 'make clean    remove .venv, caches and the output of the demo'

demo: $(VENV)/.demo
	$(BIN)/mvstylizer demo --output-dir '$(OUTPUT)' $(if $(VIDEO),--video '$(VIDEO)') $(if $(STYLE),--style '$(STYLE)')

demo-federated: $(VENV)/.dev
	$(BIN)/python -m mvstylizer.demo.federated --output-dir '$(OUTPUT)-federated'

test: $(VENV)/.dev
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Each part resumes where it was stopped; a finished part is not repeated.
release: $(VENV)/.dev
	$(BIN)/mvstylizer distill --photos '$(PHOTOS)' --teacher '$(TEACHER)' --to '$(RUNS)/encoder'
	$(BIN)/mvstylizer train --photos '$(PHOTOS)' --teacher '$(TEACHER)' --encoder '$(RUNS)/encoder' --to '$(RUNS)/stylizer'
	$(if $(PRESETS),rm -rf '$(PRESETS)' && $(BIN)/python -m export.preset_recipe --to '$(PRESETS)')
	$(BIN)/mvstylizer export '$(RUNS)/stylizer' $(if $(PRESETS),--presets '$(PRESETS)') --to '$(RUNS)/release'

clean:
	rm -rf $(VENV) build dist *.egg-info demo-output demo-output-federated .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'MVStylizer needs Python 3.11 or newer, and $(PYTHON) is not: make PYTHON=/path/to/python3.11 …' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo 'no virtual environment could be made; on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }

# An environment with the development tools holds all that the demo needs.
$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@if [ ! $(VENV)/.dev -nt pyproject.toml ]; then \
	  echo 'installing MVStylizer and the photographs of its demo into $(VENV)' && \
	  $(BIN)/python -m pip install --quiet -e '.[demo]'; fi
	@touch $@

# torch and torchvision are asked for together, so that pip takes both from one index.
$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo 'installing MVStylizer with torch and the development tools into $(VENV)'
	@$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@
