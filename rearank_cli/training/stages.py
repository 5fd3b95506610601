"""The two stages on TRL: the warm-up by imitation (SFT), then GRPO."""

from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from rearank_cli.engines.generation import plain_generation
from rearank_cli.training import policy
from rearank_cli.training.callbacks import Metrics, Progress, Validate
from rearank_cli.training.folder import processes
from rearank_cli.training.functions import reward_functions
from rearank_cli.training.job import Job
from rearank_cli.training.precision import in_bf16, on_gpu
from rearank_cli.training.saved import check_saved
from rearank_cli.training.scoring import score_labels_only
from rearank_cli.training.settings import accumulation
from rearank_cli.training.validation import Validator

_COLUMNS = ("prompt", "grades", "ideal", "thinks")
# What else decides the objective of GRPO. TRL's defaults of today, said here so that those of
# tomorrow change nothing: one update for every sampling, nothing masked, nothing added.
_OBJECTIVE = {
    "num_iterations": 1,
    "importance_sampling_level": "token",
    "epsilon": 0.2,
    "epsilon_high": None,
    "delta": None,
    "entropy_coef": 0.0,
    "top_entropy_quantile": 1.0,
    "mask_truncated_completions": False,
    "off_policy_mask_threshold": None,
    "sync_ref_model": False,
    "multi_objective_aggregation": "sum_then_normalize",
    "top_p": 1.0,
    "top_k": 0,
    "min_p": None,
    "repetition_penalty": 1.0,
    "weight_decay": 0.0,
}


class _GrpoTrainer(GRPOTrainer):  # type: ignore[misc]  # TRL is not typed here
    """TRL's trainer, but able to go on with an adapter that has a reference beside it.

    With a warmed-up adapter TRL keeps a frozen copy of it, `ref`, in a folder inside the
    checkpoint. Transformers (5.19) then loads such folders only and would silently go on with the
    warmed-up adapter instead of the trained one.
    """

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        policy_ = model if model is not None else self.model
        if "ref" not in getattr(policy_, "peft_config", {}):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        policy_.load_adapter(resume_from_checkpoint, "default", is_trainable=True)
        policy_.set_adapter("default")


def warm_up(job: Job, validator: Validator | None) -> None:
    """Teach the format by imitation; the result is in the run's folder `sft`."""
    settings, answers = job.settings, job.answers
    assert answers is not None, "there is something to imitate"
    rate = settings.sft.lora_learning_rate if job.lora else settings.sft.learning_rate
    at_once = settings.run.micro_batch * processes()
    config = SFTConfig(
        **_common(job, "sft"),
        num_train_epochs=settings.sft.epochs,
        gradient_accumulation_steps=max(1, round(settings.sft.batch / at_once)),
        learning_rate=rate,
        max_length=settings.sft.max_tokens,
        completion_only_loss=True,
    )
    base = policy.load_base(job.base, job.lora, settings.run.precision)
    tokenizer = policy.load_tokenizer(job.base)
    switches = {"chat_template_kwargs": dict(job.switches)} if job.switches else {}
    rows = [
        {"prompt": each["prompt"], "completion": each["completion"], **switches}
        for each in answers.examples
    ]
    trainer = SFTTrainer(
        model=policy.with_adapter(base, settings.lora, settings.run.seed) if job.lora else base,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    _quicken(trainer)
    _train(job, trainer, "sft", validator)
    _save(job, trainer, tokenizer, job.folder.sft)
    if not job.lists:
        _save(job, trainer, tokenizer, job.folder.path)


def reinforce(job: Job, validator: Validator | None) -> None:
    """Train by GRPO on the reward, from the warmed-up model where there is one."""
    settings, lists = job.settings, job.lists
    assert lists is not None, "there are lists to rank"
    warm = job.folder.sft if job.answers else None
    start = str(warm) if warm and not job.lora else job.base
    # The configuration comes first: with DeepSpeed it decides how weights are loaded.
    config = _grpo_config(job)
    tokenizer = policy.load_tokenizer(start)
    rows = [{name: each[name] for name in _COLUMNS} for each in lists.examples]
    functions, weights = reward_functions(settings.reward, settings.grpo.max_answer_tokens)
    config.reward_weights = weights
    trainer = _GrpoTrainer(
        model=_policy(job, start, warm),
        reward_funcs=functions,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    _quicken(trainer, settings.grpo.temperature)
    _train(job, trainer, "grpo", validator)
    _save(job, trainer, tokenizer, job.folder.path)


def _policy(job: Job, start: str, warm: Path | None) -> Any:
    base = policy.load_base(start, job.lora, job.settings.run.precision)
    if not job.lora:
        return base
    if warm:
        return policy.from_adapter(base, warm)
    return policy.with_adapter(base, job.settings.lora, job.settings.run.seed)


def _grpo_config(job: Job) -> GRPOConfig:
    grpo, run = job.settings.grpo, job.settings.run
    extra: dict[str, Any] = {}
    if job.rollouts.mode != "generate":
        extra = {
            "use_vllm": True,
            "vllm_mode": job.rollouts.mode,
            "vllm_gpu_memory_utilization": run.vllm_memory,
            "vllm_tensor_parallel_size": run.vllm_tensor_parallel,
        }
    if job.rollouts.server:
        extra["vllm_server_base_url"] = job.rollouts.server
    return GRPOConfig(
        **_common(job, "grpo"),
        **extra,
        **_OBJECTIVE,
        max_steps=grpo.steps,
        gradient_accumulation_steps=accumulation(job.settings, processes()),
        learning_rate=grpo.lora_learning_rate if job.lora else grpo.learning_rate,
        num_generations=grpo.generations,
        max_completion_length=grpo.max_answer_tokens,
        temperature=grpo.temperature,
        beta=grpo.beta,
        loss_type=grpo.loss,
        scale_rewards=grpo.scale_rewards,
        use_bias_correction_kl=grpo.kl_times_ratio,
        vllm_importance_sampling_correction=grpo.sampler_correction,
        chat_template_kwargs=dict(job.switches),
    )


def _common(job: Job, stage: str) -> dict[str, Any]:
    """Return what both stages ask of transformers."""
    grpo, run = job.settings.grpo, job.settings.run
    return {
        "output_dir": str(job.folder.checkpoints(stage)),
        "per_device_train_batch_size": run.micro_batch,
        "lr_scheduler_type": grpo.schedule,
        "warmup_steps": grpo.warmup_steps,
        "max_grad_norm": grpo.max_grad_norm,
        "logging_steps": run.log_every,
        "save_steps": run.save_every,
        "save_total_limit": run.keep,
        "seed": run.seed,
        "gradient_checkpointing": run.gradient_checkpointing,
        "report_to": list(job.trackers) or "none",
        "disable_tqdm": True,
        "use_cpu": not on_gpu(),
        "bf16": in_bf16(run.precision),
    }


def _train(job: Job, trainer: Any, stage: str, validator: Validator | None) -> None:
    """Train from the newest checkpoint on; what was noted after it is noted again."""
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Metrics(job.folder, stage))
    trainer.add_callback(Progress(stage))
    if validator is not None:
        every = job.settings.validation.every
        trainer.add_callback(Validate(validator, job.folder, stage, every))
    checkpoint = job.folder.checkpoint(stage)
    if trainer.is_world_process_zero():
        step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else -1
        job.folder.rewind(stage, step)
    with plain_generation(trainer.model):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def _quicken(trainer: Any, temperature: float = 1.0) -> None:
    """Save a CPU the work on tokens that nobody asks about."""
    if not on_gpu():
        score_labels_only(policy.without_adapter(trainer.model), temperature)


def _save(job: Job, trainer: Any, tokenizer: Any, folder: Path) -> None:
    """Write the trained adapter or model, wait until it is there, and see that it is whole."""
    spread = trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled
    if spread and not job.lora:
        trainer.save_model(str(folder))  # gathers the weights from all processes
    else:
        model = trainer.accelerator.unwrap_model(trainer.model)
        with policy.gathered(model):
            if trainer.is_world_process_zero():
                policy.save(model, tokenizer, folder, job.name)
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        check_saved(folder, job.lora)
