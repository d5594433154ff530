"""text.args against vLLM's own argument names and types; nothing is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import settings
from cli import app
from models.errors import SettingsError, WeightsError
from models.text.vllm import VllmEngine, check_arguments

pytestmark = [
    pytest.mark.engines,
    # torch, on import: deprecations between its own modules.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore::FutureWarning:vllm"),
]


def text(**args: object) -> settings.Text:
    return settings.Text(engine="vllm", model="m", args=args)


@pytest.mark.parametrize("profile", [name for name in settings.profiles() if name != "mock"])
def test_the_profiles_pass(profile: str) -> None:
    check_arguments(settings.load(profile).text)


def test_values_may_be_words_switches_lists_and_objects() -> None:
    check_arguments(
        text(max_model_len="8k", enforce_eager=False, allowed_origins=["*"], override_generation_config={"temperature": 0.5}, seed=None)
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"max_model_length": 9}, "did you mean max_model_len"),
        ({"max-num-seq": 9}, "did you mean max_num_seqs"),
        ({"wholly_unheard_of": 1}, "is no argument of vLLM"),
        ({"model": "x"}, "set text.model instead"),
        ({"shutdown_timeout": 3}, "set text.shutdown_timeout instead"),
        ({"ssl_keyfile": "x"}, "vLLM's own HTTP server"),
        ({"enforce_eager": "yes"}, "expected true or false, got 'yes'"),
        ({"max_num_seqs": "many"}, "--max-num-seqs"),
        ({"dtype": "float7"}, "--dtype"),
        ({"enable_auto_tool_choice": True, "tool_call_parser": "nobody"}, "nobody"),
    ],
)
def test_what_vllm_does_not_take_is_refused_with_the_remedy(args: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=r"text\.args") as refusal:
        check_arguments(text(**args))
    assert words in str(refusal.value)


def test_check_tells_what_vllm_does_not_take(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("text: {engine: vllm, model: m, args: {max_model_length: 9}}")
    assert "did you mean max_model_len?" in CliRunner().invoke(app, ["check", "-p", str(path)]).stderr


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no model at"):
        await VllmEngine("m", lambda: tmp_path / "nowhere", text()).start()
    with pytest.raises(WeightsError, match=r"no config\.json"):
        await VllmEngine("m", lambda: tmp_path, text()).start()
