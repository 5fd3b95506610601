# The paper's tables, measured here: make paper-dl, paper-beir, paper-bright.
#
# Every run is built from the one before it (retrieve, rerank, eval), and what is there already is
# not built again; an interrupted reranking goes on where it stopped, from the cache. Options:
#   PAPER_RERANK='--model smollm2-135m'    options for rearank rerank; the default model is the
#                                          paper's on a GPU, asked in the words that it was trained
#                                          on (docs/reranking.md), the embedded one elsewhere
#   PAPER_EVAL='--judged-queries-only'     options for rearank eval
#   PAPER_DL='dl19'                        some of the collections only
#   PAPER_RUNS=runs/small                  another folder, for another model
#   PAPER_EXPECT='RankZephyr-7B'           the line of the paper's tables that the run is held against
#   PAPER_CHECK='--tolerance 0.02'         options for rearank check
#   PAPER_STRICT=1                         make fails when a figure falls short of the paper's
#   CANDIDATES_dl19=my.trec                candidates from a file instead of our BM25
#   DATASET_signal=data/signal             a collection that ir_datasets lacks, as a folder
# MS MARCO (DL19, DL20) has 8.8 million passages: the index takes an hour and some 3 GB, once.

# The command of the virtual environment where the Makefile includes this file.
REARANK ?= $(if $(BIN),$(BIN)/,)rearank
PYTHON ?= python3
PAPER_RUNS ?= runs/paper
PAPER_RERANK ?=
PAPER_EVAL ?=
PAPER_EXPECT ?= REARANK-7B
PAPER_CHECK ?=
PAPER_STRICT ?=
PAPER_DL ?= dl19 dl20
PAPER_BEIR ?= covid nfcorpus dbpedia scifact signal news robust04
PAPER_BRIGHT ?= biology earth-science economics psychology robotics stackoverflow \
	sustainable-living pony leetcode aops theoremqa-theorems theoremqa-questions

DATASET_dl19 ?= msmarco-passage/trec-dl-2019/judged
DATASET_dl20 ?= msmarco-passage/trec-dl-2020/judged
DATASET_covid ?= beir/trec-covid
DATASET_nfcorpus ?= beir/nfcorpus/test
DATASET_dbpedia ?= beir/dbpedia-entity/test
DATASET_scifact ?= beir/scifact/test
# Not in ir_datasets (their terms forbid it): folders in BEIR layout.
DATASET_signal ?= data/signal
DATASET_news ?= data/news
DATASET_robust04 ?= data/robust04
# BRIGHT's collections have their ir_datasets names.
paper_dataset = $(or $(DATASET_$(1)),bright/$(1))

# Exit code 3 says that a run falls short, which is a result; anything else above 0 is a failure.
paper_check = short=0; $(foreach name,$(1),$(REARANK) check $(PAPER_RUNS)/$(name).rearank.trec \
	  -d $(call paper_dataset,$(name)) --collection-name $(name) --expect '$(PAPER_EXPECT)' \
	  $(filter --judged-queries-only,$(PAPER_EVAL)) $(PAPER_CHECK) \
	  || { code=$$?; test $$code = 3 || exit $$code; short=3; };) $(if $(PAPER_STRICT),exit $$short)

.PHONY: paper-dl paper-beir paper-bright
paper-dl: $(PAPER_DL:%=$(PAPER_RUNS)/%.tsv)  ## the paper's TREC DL figures, and ours
	@$(if $(BIN),$(BIN)/python,$(PYTHON)) -m rearank_cli.evaluation.papertable table1 $^
	@$(call paper_check,$(PAPER_DL))
paper-beir: $(PAPER_BEIR:%=$(PAPER_RUNS)/%.tsv)  ## the same for BEIR
	@$(if $(BIN),$(BIN)/python,$(PYTHON)) -m rearank_cli.evaluation.papertable table1 $^
	@$(call paper_check,$(PAPER_BEIR))
paper-bright: $(PAPER_BRIGHT:%=$(PAPER_RUNS)/%.tsv)  ## the same for BRIGHT
	@$(if $(BIN),$(BIN)/python,$(PYTHON)) -m rearank_cli.evaluation.papertable table2 $^
	@$(call paper_check,$(PAPER_BRIGHT))

# Runs are results, not steps on the way: without this, make removes what only a rule asked for.
.PRECIOUS: $(PAPER_RUNS)/%.bm25.trec $(PAPER_RUNS)/%.rearank.trec $(PAPER_RUNS)/%.tsv

$(PAPER_RUNS)/%.bm25.trec:
	@mkdir -p $(@D)
	$(if $(CANDIDATES_$*),cp $(CANDIDATES_$*) $@,$(REARANK) retrieve -d $(call paper_dataset,$*) -o $@)

$(PAPER_RUNS)/%.rearank.trec: $(PAPER_RUNS)/%.bm25.trec
	$(REARANK) rerank $< -d $(call paper_dataset,$*) $(PAPER_RERANK) -o $@

$(PAPER_RUNS)/%.tsv: $(PAPER_RUNS)/%.bm25.trec $(PAPER_RUNS)/%.rearank.trec
	$(REARANK) eval $^ -d $(call paper_dataset,$*) $(PAPER_EVAL) --format tsv -o $@
