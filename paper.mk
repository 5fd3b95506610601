# The paper's tables, measured here: make paper-dl, paper-beir, paper-bright.
#
# One command retrieves for all collections, one reranks all of them with one engine, one measures.
# Each is given what is still to be made: what is there already is not made again, and an interrupted
# reranking goes on where it stopped, from the cache. Options:
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
# Files of collections: $(call paper_files,NAMES,bm25).
paper_files = $(1:%=$(PAPER_RUNS)/%.$(2).trec)
# Those of them without such a file; and those whose reranking is not there, or older than its input.
paper_lacking = $(strip $(foreach name,$(1),$(if $(shell test -e $(call \
	paper_files,$(name),bm25) && echo 1),,$(name))))
paper_stale = $(strip $(foreach name,$(1),$(if $(shell cd $(PAPER_RUNS) 2> /dev/null && \
	test -e $(name).bm25.trec -a -e $(name).rearank.trec && \
	test ! $(name).bm25.trec -nt $(name).rearank.trec && echo 1),,$(name))))
paper_searched = $(strip $(foreach name,$(1),$(if $(CANDIDATES_$(name)),,$(name))))

# Which runs are still to be made is asked when a recipe runs, so that one command makes just those.
define newline


endef
define paper_retrieve
@mkdir -p $(PAPER_RUNS)
$(foreach name,$(filter-out $(call paper_searched,$(1)),$(1)),$(REARANK) retrieve \
	-d $(name)=$(call paper_dataset,$(name)) --run-of $(CANDIDATES_$(name)) --hits 1000 \
	-o $(PAPER_RUNS)/$(name).bm25.trec$(newline))
$(if $(call paper_searched,$(1)),$(REARANK) retrieve $(foreach name,$(call \
	paper_searched,$(1)),-d $(name)=$(call paper_dataset,$(name))) -o '$(PAPER_RUNS)/{collection}.bm25.trec')
endef
paper_rerank = $(if $(1),$(REARANK) rerank $(call paper_files,$(1),bm25) $(PAPER_RERANK) \
	-o '$(PAPER_RUNS)/{stem}.rearank.trec')

# $(1) is the target's last word, $(2) the collections, $(3) the paper's table.
define paper_rules
.PHONY: paper-$(1)
# A finished run stays when the command that made it is stopped, or fails at another.
.PRECIOUS: $(call paper_files,$(2),bm25) $(call paper_files,$(2),rearank)
paper-$(1): $(PAPER_RUNS)/$(1).tsv
	@$(if $(BIN),$(BIN)/python,$(PYTHON)) -m rearank_cli.evaluation.papertable $(3) $$<
	@$$(call paper_check,$(call paper_files,$(2),rearank))

$(call paper_files,$(2),bm25) &:
	$$(call paper_retrieve,$$(call paper_lacking,$(2)))

$(foreach name,$(2),$(call paper_files,$(name),rearank): $(call paper_files,$(name),bm25)$(newline))
$(call paper_files,$(2),rearank) &:
	$$(call paper_rerank,$$(call paper_stale,$(2)))

$(PAPER_RUNS)/$(1).tsv: $(call paper_files,$(2),bm25) $(call paper_files,$(2),rearank)
	$(REARANK) eval $$^ $(PAPER_EVAL) --format tsv -o $$@
endef

# Exit code 3 says that a run falls short, which is a result; anything else above 0 is a failure.
paper_check = $(REARANK) check $(1) --expect '$(PAPER_EXPECT)' \
	$(filter --judged-queries-only,$(PAPER_EVAL)) $(PAPER_CHECK)$(if $(PAPER_STRICT),, || test $$? = 3)

paper-dl:  ## the paper's TREC DL figures, and ours
paper-beir:  ## the same for BEIR
paper-bright:  ## the same for BRIGHT
$(eval $(call paper_rules,dl,$(PAPER_DL),table1))
$(eval $(call paper_rules,beir,$(PAPER_BEIR),table1))
$(eval $(call paper_rules,bright,$(PAPER_BRIGHT),table2))
