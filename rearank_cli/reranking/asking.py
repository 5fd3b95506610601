"""From an ask to a request, and what an engine must be able to do for it."""

from collections.abc import Sequence
from dataclasses import replace

from rearank_cli.engines.base import Ability, Engine
from rearank_cli.errors import EngineStartError, RearankError
from rearank_cli.methods import Ask, Method
from rearank_cli.methods.answers import KINDS, Form
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.records import Request, Sampling

_TOLD = {
    "text": "continue a plain text",
    "chat": "answer a chat",
    "choices": "tell the log-probabilities of its first token",
    "continuation": "tell the log-probabilities of a given text",
    "prefill": "go on from the beginning of an answer",
    "grammar": "keep its answer to a given form",
    "relevance": "score a passage for a query, as those behind /rerank do (`rerank_urls`)",
}


def form_of(recipe: Recipe) -> Form:
    """Return the form in which a recipe wants its answers."""
    return Form(recipe.thinks, recipe.letters, recipe.logprobs, recipe.choices)


def request_for(
    recipe: Recipe, query: str, shown: Sequence[str], sampling: Sampling, ask: Ask
) -> Request:
    """Return what the engine is asked; `shown` are the texts of the ask's passages.

    A further sample of the same passages is drawn with another seed.
    """
    if ask.sample and sampling.temperature:
        sampling = replace(sampling, seed=sampling.seed + ask.sample)
    kind, form = KINDS[recipe.kind], form_of(recipe)
    return replace(
        recipe.request(query, shown, sampling),
        choices=kind.choices(form, len(shown)),
        grammar=kind.grammar(form, len(shown)) if recipe.force_format else None,
        sample=ask.sample,
        ranks=(ask.wanted or 0) if kind.beginning else 0,
    )


def check_recipe(recipe: Recipe, method: Method) -> None:
    """Raise `RearankError` where a method cannot use what a recipe's answers tell."""
    if recipe.kind not in method.kinds:
        raise RearankError(
            f"the method {method.name} cannot use answers of the kind "
            f"{recipe.kind}, which the recipe {recipe.name} asks for",
            hint=f"it uses {', '.join(sorted(method.kinds))}",
        )
    most = KINDS[recipe.kind].most(form_of(recipe))
    if most and method.window > most:
        raise RearankError(
            f"the method {method.name} shows up to {method.window} passages at once; the recipe "
            f"{recipe.name} has names for {most}"
        )
    if recipe.force_format and not KINDS[recipe.kind].grammar(form_of(recipe), method.window):
        raise RearankError(
            f"`force_format`: the recipe {recipe.name} reads log-probabilities, and no answer that "
            "could have another form"
        )


def check_thinking(recipe: Recipe, sampling: Sampling) -> None:
    """Raise `RearankError` for a longest thought where nothing is thought."""
    if sampling.max_thinking_tokens and not recipe.thinks:
        raise RearankError(
            f"`max_thinking_tokens`: the recipe {recipe.name} asks for no reasoning",
            hint="`max_tokens` limits its answers; with `thinks = true` a recipe has reasoning",
        )


def check_engine(engine: Engine, recipe: Recipe, method: Method, sampling: Sampling) -> None:
    """Raise `EngineStartError` where an engine cannot tell what a recipe and a method need.

    Called before anything starts.
    """
    kind, form = KINDS[recipe.kind], form_of(recipe)
    told = kind.needs(form)
    needed: list[Ability] = [told] if told else []
    if told != "relevance":
        needed.insert(0, "chat" if recipe.turns else "text")
    if recipe.prefill or sampling.max_thinking_tokens or recipe.force_format and recipe.thinks:
        needed.append("prefill")
    if recipe.force_format:
        needed.append("grammar")
    for ability in needed:
        if ability not in engine.abilities:
            raise EngineStartError(
                f"the recipe {recipe.name} needs a model that can {_TOLD[ability]}; "
                "this engine cannot",
                hint="another recipe, or another engine; rearank recipe list says what each needs",
                exit_code=2,
            )
    asked = len(kind.choices(form, method.window))
    if engine.most_choices and asked > engine.most_choices:
        raise EngineStartError(
            f"the recipe {recipe.name} needs {asked} log-probabilities of one token; this engine "
            f"tells at most {engine.most_choices}",
            hint=f"show at most {engine.most_choices} passages at once (`window`, `children`)",
            exit_code=2,
        )


def check_samples(method: Method, sampling: Sampling) -> None:
    """Raise `RearankError` for samples that would all be the same."""
    if method.repeats and not sampling.temperature:
        raise RearankError(
            "several `samples` of one prompt are all the same at temperature 0",
            hint="`shuffle` shows the passages in other orders; or raise `temperature`",
        )
