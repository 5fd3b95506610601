"""The face of the reranker: a model, a recipe, a method; runs in, runs out."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, Unpack

from rearank_cli.engines.base import Engine, Model
from rearank_cli.engines.dry import DryEngine
from rearank_cli.engines.options import EngineOptions, Opening, open_settings
from rearank_cli.methods import Method, make_method, numbers_of
from rearank_cli.recipes.choosing import choose_recipe
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.records import Run
from rearank_cli.reranking.asking import check_engine
from rearank_cli.reranking.candidates import Texts, candidates
from rearank_cli.reranking.chain import Candidates, Reranked
from rearank_cli.reranking.cutting import cutter
from rearank_cli.reranking.driver import Driver, Listener, Settings
from rearank_cli.reranking.loop import LoopThread
from rearank_cli.reranking.scores import scored_run


class Reranker:
    """Reranks runs with one model, which is started when it is first needed.

    >>> from rearank_cli import Reranker, open_collection, read_run
    >>> server = ["http://localhost:8000/v1"]
    >>> with Reranker("le723z/Rearank-7B", base_urls=server) as reranker:
    ...     new = reranker.rerank(read_run("bm25.trec"), open_collection("demo"))
    >>> new.rankings["q01"][:3]
    ('phys-006', 'phys-005', 'phys-004')

    `model` is a hub id, a folder, or the name that a server of `base_urls` knows; without one it
    is the paper's on a GPU machine and the embedded one elsewhere. `recipe` and `method` are
    names, or made by hand; without a recipe it is the one made for the model's exact id, else
    `rearank`, and `why` says so; without a method it is the recipe's. `asking` says numbers of the
    recipe otherwise, such as `max_tokens`; `numbers` are the method's own, such as `window`.
    `settings` says the rest. `engine` takes the place of a model. Works inside a running event
    loop, as notebooks have one: with `with` the engine lives in a loop of its own, with `async
    with` in the caller's. Raises `RearankError` for anything that can be known to be wrong before
    a model is started.
    """

    def __init__(  # noqa: PLR0913  a face takes what can be said of a reranking, each by name
        self,
        model: str | None = None,
        *,
        recipe: str | Recipe | None = None,
        asking: Mapping[str, Any] | None = None,
        method: str | Method | None = None,
        numbers: Mapping[str, Any] | None = None,
        depth: int = 100,
        passes: int = 1,
        engine: Engine | None = None,
        **options: Unpack[EngineOptions],
    ) -> None:
        """Choose recipe, method and engine; nothing heavy happens yet."""
        made = open_settings(model, **options) if engine is None else None
        name = made.model.name if made else ""
        chosen, self.why = (
            (recipe, "given")
            if isinstance(recipe, Recipe)
            else choose_recipe(recipe, name, scored=bool(made and made.where.rerank_urls))
        )
        chosen = chosen.changed(**(asking or {}))
        self.settings = Settings(chosen, method_for(chosen, method, numbers), depth, passes)
        self._opening: Opening | None = (
            made.for_continuations() if made and chosen.continuation else made
        )
        if self._opening and chosen.adapter and name in chosen.made_for:
            self._opening = self._opening.with_own(chosen.adapter)
        self._engine = engine
        self._loop: LoopThread | None = None

    @property
    def engine(self) -> Engine:
        """The engine, made when it is first asked for."""
        if self._engine is None:
            assert self._opening is not None, "without an engine there is a model"
            self._engine = self._opening.make()
        return self._engine

    def check(self) -> None:
        """Raise `EngineStartError` for an engine that cannot do what the recipe asks for."""
        how = self.settings
        check_engine(self.engine, how.recipe, how.method, how.drawn)

    def __enter__(self) -> Self:
        """Open the engine in a loop of its own."""
        self.check()
        self._loop = LoopThread()
        try:
            self._loop.run(self.engine.open())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the engine and its loop."""
        self.close()

    def close(self) -> None:
        """Close the engine and its loop; safe when called twice."""
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.run(self.engine.close())
            finally:
                loop.close()

    async def __aenter__(self) -> Self:
        """Open the engine in the running loop."""
        self.check()
        try:
            await self.engine.open()
        except BaseException:
            await self.engine.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the engine."""
        await self.engine.close()

    @property
    def model(self) -> Model:
        """The model that was found; one without a name where an engine was given."""
        return self._opening.model if self._opening else Model("")

    def dry_engine(self) -> DryEngine:
        """Return an engine that only counts what this one would be asked."""
        assert self._opening is not None, "without an engine there is a model"
        return self._opening.dry()

    def candidates(self, run: Run, texts: Texts, source: str = "the run") -> list[Candidates]:
        """Join a run's hits with their texts, of which no more is kept than is shown.

        Raises `RearankError` for ids without any.
        """
        how = self.settings
        change = cutter(how.recipe, how.limit, self.model)
        return candidates(run, source, texts, how.depth, change)

    def rerank(self, run: Run, texts: Texts, listener: Listener | None = None) -> Run:
        """Return the run reordered; its scores are the method's own, else by rank.

        `texts` is a collection. Raises `EngineError` when the engine fails.
        """
        work = self.candidates(run, texts)
        found = {each.query_id: each for each in self.stream(work, listener)}
        return self._run(work, found)

    async def arerank(self, run: Run, texts: Texts, listener: Listener | None = None) -> Run:
        """Do the same without blocking the caller's event loop."""
        work = self.candidates(run, texts)

        async def collect() -> dict[str, Reranked]:
            async with aclosing(self._results(work, listener)) as results:
                return {each.query_id: each async for each in results}

        found = await (self._loop.run_from(collect()) if self._loop else collect())
        return self._run(work, found)

    def stream(
        self, work: Sequence[Candidates], listener: Listener | None = None
    ) -> Iterator[Reranked]:
        """Yield every query's result as soon as it is done."""
        if self._loop is None:
            raise RuntimeError("a Reranker is used inside `with Reranker(...) as reranker:`")
        return self._loop.iterate(self._results(work, listener))

    def astream(
        self, work: Sequence[Candidates], listener: Listener | None = None
    ) -> AsyncIterator[Reranked]:
        """Yield the same in the caller's loop; for `async with`."""
        return self._results(work, listener)

    def driver(self, listener: Listener | None = None) -> Driver:
        """Return what asks the engine, for callers with an event loop of their own."""
        return Driver(self.engine, self.settings, listener)

    async def _results(
        self, work: Sequence[Candidates], listener: Listener | None
    ) -> AsyncGenerator[Reranked]:
        async with aclosing(self.driver(listener).stream(work)) as results:
            async for _, result in results:
                yield result

    def _run(self, work: Sequence[Candidates], found: Mapping[str, Reranked]) -> Run:
        return scored_run((found[each.query.query_id] for each in work), self.tag)

    @property
    def tag(self) -> str:
        """The name of the runs it makes: recipe and model."""
        return self._opening.tag if self._opening else self.settings.recipe.name


def method_for(
    recipe: Recipe, method: str | Method | None, numbers: Mapping[str, Any] | None
) -> Method:
    """Return the method that is asked for, else the recipe's, with these numbers.

    What `numbers` leave out is the recipe's; to another method than its own those apply that it
    has too. Raises `RearankError` for a number that the method has not.
    """
    if method is not None and not isinstance(method, str):
        return method
    name = method or recipe.method
    own = recipe.numbers
    if name != recipe.method:
        own = {key: value for key, value in own.items() if key in numbers_of(name)}
    given = {key: value for key, value in (numbers or {}).items() if value is not None}
    if "window" in given:  # a stride of the recipe's belongs to the recipe's window
        own = {key: value for key, value in own.items() if key != "stride"}
    return make_method(name, {**own, **given})
