# Can this pipeline teach SmolLM2-135M to rerank?  make -f benchmarks/training/smol.mk
#
# Warm-up by imitation, then GRPO, on the judged queries of five collections, without every tenth
# query of each. Measured on collections that nothing was trained on. Every step is kept and an
# interrupted one goes on where it stopped: give the same command again.

REARANK ?= rearank
PYTHON ?= python3
DATA ?= ../shared/collections
OUT ?= runs/smol
HERE := benchmarks/training
MODEL ?= smollm2-135m
TRAIN := vaswani cisi med cf nfcorpus
TEST := dl19 cacm demo

# A list and its answer are about 500 tokens. Without a KL term (beta 0) there is no pass through the reference model.
WINDOW ?= 5
# Lists per query for the warm-up and for GRPO, before filters; every query counts the same.
WARMUP_DRAWS ?= 8
GRPO_DRAWS ?= 4
SFT_EPOCHS ?= 1.0
GRPO_STEPS ?= 24
PROFILE := $(HERE)/smol.toml
# A few very long queries would pad every list beside them.
SHOWN := --prompt $(PROFILE) --max-prompt-tokens 480 --model $(MODEL)
SETTINGS := sft.batch=8 sft.max_tokens=1024 sft.epochs=$(SFT_EPOCHS) sft.lora_learning_rate=4e-4 \
	lora.rank=16 lora.alpha=32 lora.first_layer=10 \
	grpo.steps=$(GRPO_STEPS) grpo.prompts_per_step=4 grpo.generations=8 \
	grpo.lora_learning_rate=2e-4 grpo.beta=0.0 reward.keep_ideal=true grpo.max_answer_tokens=128 \
	grpo.schedule=cosine grpo.warmup_steps=4 \
	run.micro_batch=4 run.save_every=10 run.gradient_checkpointing=false \
	validation.every=40 validation.depth=10 validation.window=5 validation.stride=4 \
	validation.max_answer_tokens=128 validation.batch=9
# Reranking the first 13 hits: three windows of five. On two cores vLLM's CPU build answers some 7
# windows a minute with an adapter, so that measuring takes about two hours there.
RERANK := --depth 13 --window 5 --stride 4 --prompt $(PROFILE) --max-tokens 128 --max-model-len 1536

.PHONY: smol train measure
smol: measure
train: $(OUT)/model/done
measure: $(TEST:%=$(OUT)/%.tsv) $(OUT)/curve.png
	@for set in $(TEST); do echo "$$set"; cat $(OUT)/$$set.tsv; done

.SECONDARY:
$(OUT)/:
	mkdir -p $@

# Held-out queries: every tenth one.
$(OUT)/%.held-out: $(DATA)/%/queries.tsv | $(OUT)/
	awk 'NR % 10 == 0 {print $$1}' $< > $@
$(OUT)/%.warmup.jsonl: $(OUT)/%.held-out $(PROFILE)
	$(REARANK) augment $(DATA)/$*/bm25.trec -d $(DATA)/$* --sft --window $(WINDOW) \
	  --depth 20 --order retrieved --min-initial 0 --draws $(WARMUP_DRAWS) --seed 1 \
	  $(SHOWN) --exclude-queries $< -o $@
$(OUT)/%.lists.jsonl: $(OUT)/%.held-out $(PROFILE)
	$(REARANK) augment $(DATA)/$*/bm25.trec -d $(DATA)/$* --window $(WINDOW) --depth 20 \
	  --order retrieved --min-initial 0 --keep-ideal --draws $(GRPO_DRAWS) --seed 2 \
	  $(SHOWN) --exclude-queries $< -o $@
$(OUT)/warmup.jsonl: $(TRAIN:%=$(OUT)/%.warmup.jsonl)
	cat $^ > $@
$(OUT)/lists.jsonl: $(TRAIN:%=$(OUT)/%.lists.jsonl)
	cat $^ > $@
$(OUT)/validation.trec: $(OUT)/vaswani.held-out
	awk 'NR == FNR {held[$$1]; next} $$1 in held' $< $(DATA)/vaswani/bm25.trec > $@

$(OUT)/model/done: $(OUT)/warmup.jsonl $(OUT)/lists.jsonl $(OUT)/validation.trec
	$(REARANK) train $(OUT)/lists.jsonl --sft $(OUT)/warmup.jsonl --model $(MODEL) \
	  --prompt $(PROFILE) --rollouts generate --validate $(OUT)/validation.trec \
	  -d $(DATA)/vaswani $(SETTINGS:%=--set %) -o $(OUT)/model
	touch $@

collection = $(if $(filter demo,$(1)),demo,$(DATA)/$(1))
candidates = $(if $(filter dl19,$(1)),$(DATA)/dl19/bm25.order.run,$(DATA)/$(1)/bm25.trec)
$(OUT)/%.bm25.trec: | $(OUT)/
	$(if $(filter demo,$*),$(REARANK) retrieve -d demo -o $@,cp $(call candidates,$*) $@)
$(OUT)/%.base.trec: $(OUT)/%.bm25.trec
	$(REARANK) rerank $< -d $(call collection,$*) --model $(MODEL) $(RERANK) -o $@
$(OUT)/%.sft.trec: $(OUT)/%.bm25.trec $(OUT)/model/done
	$(REARANK) rerank $< -d $(call collection,$*) --model $(MODEL) --adapter $(OUT)/model/sft \
	  $(RERANK) -o $@
$(OUT)/%.grpo.trec: $(OUT)/%.bm25.trec $(OUT)/model/done
	$(REARANK) rerank $< -d $(call collection,$*) --model $(MODEL) --adapter $(OUT)/model \
	  $(RERANK) -o $@
$(OUT)/%.tsv: $(OUT)/%.bm25.trec $(OUT)/%.base.trec $(OUT)/%.sft.trec $(OUT)/%.grpo.trec
	$(REARANK) eval $^ -d $(call collection,$*) --baseline $< --format tsv -o $@
$(OUT)/curve.png: $(OUT)/model/done $(HERE)/curve.py
	$(PYTHON) $(HERE)/curve.py $(OUT)/model/metrics.jsonl $@
