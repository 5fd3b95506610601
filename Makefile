# rearank: set up, demonstrate, test. Needs Python 3.11 or later and nothing else.
# `make help` lists the targets.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SCRIPTS := scripts

# Which build of vLLM: gpu, cpu, or by what this machine has. It is remembered in .venv.
ENGINE =

# The embedded model's likelihoods help among the first hits; further down they hurt.
DEMO_OPTIONS ?= --depth 20
DEMO_GPU_OPTIONS ?=

.DEFAULT_GOAL := help

.PHONY: help
help:  ## this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

$(BIN)/python:
	@echo "== creating $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("rearank needs Python 3.11 or later, found " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)

# Its time changes only when another build is asked for, and then the stamp below is out of date.
$(VENV)/.engine: always | $(BIN)/python
	@case "$(ENGINE)" in gpu|cpu) test "$$(cat $@ 2> /dev/null)" = "$(ENGINE)" || echo "$(ENGINE)" > $@;; \
	  "") test -f $@ || touch $@;; \
	  *) echo "error: ENGINE: expected gpu or cpu, found $(ENGINE)" >&2; exit 2;; esac

.PHONY: always
always:

# Stamps say what was installed from which pyproject.toml; a half-finished install leaves none.
$(VENV)/.installed: pyproject.toml $(SCRIPTS)/install.sh $(VENV)/.engine | $(BIN)/python
	@$(SCRIPTS)/install.sh $(BIN)/python $$(cat $(VENV)/.engine)
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "== installing the tools for lint, types and tests"
	@PYTHONWARNINGS='ignore:Editable installation' $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,train,pyterrier,serve,ray]'
	@touch $@

.PHONY: install
install: $(VENV)/.installed  ## create .venv with the command rearank and an engine for this machine

# Asked when the recipe runs, so that make shows the command that can be typed again.
demo_options = $(if $(filter embedded,$(shell $(BIN)/python -c '$(ask_default)' 2> /dev/null)),$(DEMO_OPTIONS),$(DEMO_GPU_OPTIONS))
ask_default = from rearank_cli.engines.defaults import EMBEDDED, default_model; print("embedded" if default_model() == EMBEDDED else "")

# Without a GPU the demo has scored passages. Two queries more are put to the same small model in
# windows, so that there is a thought to read; they stand beside the demo's run, not in it.
define demo_reasoning
@echo "== the same small model reasoning about two queries: to be read, not to be trusted"
grep -E '^(q01|q14) ' runs/demo.bm25.trec | $(BIN)/rearank rerank - -d demo --depth 10 \
	  --recipe examples/reasoning.toml -o runs/demo.reasoning.trec
$(BIN)/rearank explain runs/demo.reasoning.trec -d demo --query q01 --top 3
endef

.PHONY: demo
demo: $(VENV)/.installed  ## retrieve, rerank and evaluate the demo collection
	@echo "== retrieving with BM25"
	$(BIN)/rearank retrieve -d demo -o runs/demo.bm25.trec
	@echo "== reranking with a language model"
	$(BIN)/rearank rerank runs/demo.bm25.trec -d demo $(demo_options) -o runs/demo.rearank.trec
	@echo "== evaluating both runs"
	$(BIN)/rearank export qrels demo -o qrels/demo.qrels
	$(BIN)/rearank eval runs/demo.bm25.trec runs/demo.rearank.trec qrels/demo.qrels \
	  --baseline runs/demo.bm25.trec
	@echo "== writing a report to look at"
	$(BIN)/rearank report runs/demo.bm25.trec runs/demo.rearank.trec -d demo \
	  --baseline runs/demo.bm25.trec --trace runs/demo.rearank.trace.jsonl -o runs/demo.report.html
	$(if $(filter $(DEMO_OPTIONS),$(demo_options)),$(demo_reasoning))

.PHONY: lint
lint: $(VENV)/.installed-dev  ## ruff and mypy
	@echo "== checking style and types"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Most tests wait for processes of their own; engines are started one file after the other.
TEST_PROCESSES ?= 2

.PHONY: test
test: lint browser  ## set up, then lint, types and tests
	@echo "== testing"
	$(BIN)/python -m pytest -rs -n $(TEST_PROCESSES) --dist loadfile

.PHONY: browser
browser:
	@echo "== looking for a browser to test pages in"
	@tests/browser/install.sh || echo "== no browser here: the tests of pages will be skipped, and say so"

.PHONY: test-browser
test-browser: $(VENV)/.installed-dev  ## only the tests in Chromium, which must be there
	tests/browser/install.sh
	REARANK_NEED_BROWSER=1 $(BIN)/python -m pytest -m browser

.PHONY: screenshot
screenshot: $(VENV)/.installed-dev  ## make docs/report.png again
	$(BIN)/python tests/browser/screenshots.py docs/report.png

# Not a part of `make test`: it downloads two wheels of some 300 MB, and removes them again.
.PHONY: check-vllm
check-vllm: $(VENV)/.installed-dev  ## our use of vLLM against the sources of its oldest and newest
	$(BIN)/python $(SCRIPTS)/check_vllm.py

# Not a part of `make test`: it takes over an hour. MUTATE names mutants: '"rearank_cli.methods.*"'.
MUTATE ?=
.PHONY: mutate
mutate: $(VENV)/.installed-dev  ## which changes of the critical modules their tests do not notice
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'mutmut>=3.8,<4'
	-$(BIN)/mutmut run $(MUTATE)
	$(BIN)/mutmut results
	$(BIN)/python -m benchmarks.mutation.summary

# BENCH_DATA is a folder of collections with a BM25 run (bm25.trec) in each.
BENCH_DATA ?= collections
BENCH_SMALL ?=
.PHONY: bench-small
bench-small: $(VENV)/.installed  ## the embedded model against BM25: quality and speed on this CPU
	@mkdir -p runs
	$(BIN)/rearank retrieve -d demo -o runs/demo.bm25.trec
	$(BIN)/python -m benchmarks.small.run --data $(BENCH_DATA) --runs runs $(BENCH_SMALL)

.PHONY: bench-rerank bench-methods bench-eval bench-retrieve bench-cluster
bench-rerank: $(VENV)/.installed  ## schedules of windows, side by side
	$(BIN)/python -m benchmarks.rerank.run simulated pooled overhead vllm
	$(BIN)/python -m benchmarks.rerank.streaming
	$(BIN)/python -m benchmarks.rerank.early

bench-methods: $(VENV)/.installed  ## methods with simulated judges of equal noise, side by side
	$(BIN)/python -m benchmarks.methods.run

# rank_llm has an environment of its own; its releases want a newer Python than ours may be.
RANK_LLM ?= runs/.rank_llm
RANK_LLM_PYTHON ?= python3.12
.PHONY: bench-peers bench-gpu
bench-peers: $(VENV)/.installed-dev  ## rank_llm beside rearank, over one vLLM server
	test -x $(RANK_LLM)/bin/python || $(RANK_LLM_PYTHON) -m venv $(RANK_LLM)
	$(RANK_LLM)/bin/python -m pip install --quiet rank-llm==0.26.0 openai tiktoken python-dotenv transformers
	$(BIN)/python -m benchmarks.peers.run $(RANK_LLM)/bin/python

bench-gpu: $(VENV)/.installed  ## schedules on this machine's GPU, in ten minutes
	PYTHON=$(BIN)/python benchmarks/gpu/run.sh $(BENCH_GPU)

bench-cluster: $(VENV)/.installed-dev  ## how well the replicas of a cluster are filled
	$(BIN)/python -m benchmarks.cluster.run paper
	$(BIN)/python -m benchmarks.cluster.run actors 1000 8

bench-retrieve: $(VENV)/.installed  ## first stages and indexers, side by side
	$(BIN)/python -m benchmarks.retrieve.run

bench-eval: $(VENV)/.installed  ## evaluators, side by side
	$(BIN)/python -m benchmarks.eval.run

include paper.mk

.PHONY: smol
smol: $(VENV)/.installed-dev  ## teach the embedded model's likelihood, for hours
	$(MAKE) -f benchmarks/training/likelihood.mk REARANK=$(BIN)/rearank PYTHON=$(BIN)/python \
	  OUT=runs/likelihood

.PHONY: smol-listwise
smol-listwise: $(VENV)/.installed-dev  ## try to teach it to order lists, for hours
	$(MAKE) -f benchmarks/training/smol.mk REARANK=$(BIN)/rearank PYTHON=$(BIN)/python OUT=runs/smol

.PHONY: manual
manual: $(VENV)/.installed  ## man pages and shell completions, in build/
	$(BIN)/python scripts/manual.py build

.PHONY: clean
clean:  ## remove .venv, what the demo wrote, and caches of the tools
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find runs qrels -type f ! -name README.md -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
