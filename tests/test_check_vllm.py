"""The comparison with vLLM's sources, on small sources of our own making."""

import zipfile
from pathlib import Path

import pytest
from check_vllm import FIELDS, Use, allowed, check, missing, our_uses
from vllm_sources import Sources

ROOT = Path(__file__).parents[1]
PACKAGE = {
    "vllm/__init__.py": "",
    "vllm/envs.py": "variables = {'VLLM_KNOWN': lambda: 1}\n",
    "vllm/inputs/__init__.py": "from .llm import TokensPrompt\nfrom .engine import tokens_input\n",
    "vllm/inputs/llm.py": "class TokensPrompt(TypedDict):\n    prompt_token_ids: list\n",
    "vllm/inputs/engine.py": "def tokens_input(ids, *, prompt=None):\n    return {}\n",
    "vllm/args.py": """
if TYPE_CHECKING:
    from vllm.inputs.llm import TokensPrompt as Alias
class Base:
    model: str = ""
    def shared(self): ...
class Args(Base):
    seed: int = 0
    @classmethod
    def make(cls, config, *, quiet=False): ...
    @property
    def tokenizer(self): ...
class Engine:
    def __init__(self, **kwargs):
        self.ready = True
    def run(self, prompt, request_id, *, lora=None): ...
try:
    import fast
except ImportError:
    WITHOUT = True
""",
}


@pytest.fixture(params=["folder", "wheel"])
def sources(request: pytest.FixtureRequest, tmp_path: Path) -> Sources:
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    if request.param == "folder":
        return Sources(tmp_path)
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
        for name, text in PACKAGE.items():
            wheel.writestr(name, text)
    return Sources(tmp_path / "x.whl")


@pytest.mark.parametrize(
    "use",
    [
        Use("vllm.inputs"),
        Use("vllm.inputs.TokensPrompt", "", ("prompt_token_ids",)),
        Use("vllm.inputs.tokens_input"),
        Use("vllm.args.Alias"),
        Use("vllm.args.WITHOUT"),
        Use("vllm.args.Args", "", ("model", "seed")),
        Use("vllm.args.Args", "shared"),
        Use("vllm.args.Args", "tokenizer"),
        Use("vllm.args.Args", "make", ("quiet",), 1),
        Use("vllm.args.Engine", "ready"),
        Use("vllm.args.Engine", "", ("anything",)),
        Use("vllm.args.Engine", "run", ("lora",), 2),
    ],
)
def test_what_is_there_is_found(sources: Sources, use: Use) -> None:
    assert missing(use, sources) == []


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (Use("vllm.gone.Thing"), "vllm.gone.Thing: not there"),
        (Use("vllm.args.Thing"), "vllm.args.Thing: not there"),
        (Use("vllm.args.Args", "swap"), "vllm.args.Args: no swap"),
        (Use("vllm.args.Args", "", ("seed", "swap")), "vllm.args.Args: no swap"),
        (Use("vllm.args.Args", "make", ("loud",)), "vllm.args.Args.make: no loud"),
        (Use("vllm.args.Engine", "run", (), 3), "3 arguments by place, it takes 2"),
    ],
)
def test_what_is_not_there_is_named(sources: Sources, use: Use, said: str) -> None:
    (line,) = missing(use, sources)
    assert said in line


def test_a_setting_must_be_known_to_vllm(sources: Sources) -> None:
    assert check(sources, [], ["VLLM_KNOWN", "VLLM_GONE"]) == ["vllm.envs: no VLLM_GONE"]


def test_uses_are_read_from_our_sources(tmp_path: Path) -> None:
    file = tmp_path / "ours.py"
    file.write_text(
        "from vllm.args import Args as A, Engine\n"
        "from rearank_cli import other\n"
        "arguments: dict = {'model': 1, **more}\n"
        "A(**arguments, seed=2)\n"
        "Engine.make(config, quiet=True)\n"
        "class Ours:\n"
        "    def go(self):\n"
        "        self._llm.generate(1, lora_request=None)\n"
        "        other.thing(wrong=1)\n"
    )
    names = set(our_uses([file])) - set(our_uses([]))
    assert Use("vllm.args.Args", "", ("seed", "model")) in names
    assert Use("vllm.args.Engine", "make", ("quiet",), 1) in names
    engine = "vllm.v1.engine.async_llm.AsyncLLM"
    assert Use(engine, "generate", ("lora_request",), 1) in names
    assert not any("other" in use.name or "wrong" in use.arguments for use in names)


def test_our_engine_is_read(tmp_path: Path) -> None:
    uses = our_uses(sorted((ROOT / "rearank_cli").rglob("*.py")))
    names = {use.name for use in uses}
    assert {"vllm.sampling_params.SamplingParams", "vllm.lora.request.LoRARequest"} <= names
    assert names >= set(FIELDS)
    taken = {word for use in uses for word in use.arguments}
    assert {"max_tokens", "temperature", "enable_lora", "enable_prefix_caching"} <= taken


def test_both_ends_of_the_range_come_from_pyproject() -> None:
    pyproject = '[project.optional-dependencies]\ngpu = ["vllm>=0.26,<0.34", "gguf>=0.17"]\n'
    assert allowed(pyproject) == ("vllm==0.26", "vllm>=0.26,<0.34")
    with pytest.raises(SystemExit, match="expected vllm>=…,<…"):
        allowed(pyproject.replace(",<0.34", ""))
    assert allowed((ROOT / "pyproject.toml").read_text("utf-8"))
