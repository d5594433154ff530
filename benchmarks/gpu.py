"""The real service with both engines, alone and together: time to first token and audio, gaps, tokens and audio per second.

Meant for a GPU machine (`--profile gpu`), and runs on any profile; `--profile` may be the path of a YAML file. `--dummy-8b` serves a
Llama of eight billion parameters with made-up weights on the tokenizer of the profile's text model: the same work, no download, no sense.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import settings as configuration
from benchmarks import chat, recipes, voice
from benchmarks.apart import apart
from benchmarks.machine import gpu_memory
from benchmarks.processes import Server, running, say
from benchmarks.results import Report, Table
from benchmarks.stats import Figure, quantile
from models.store import Store

LLAMA_8B = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "hidden_act": "silu", "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "vocab_size": 128256,
}  # fmt: skip


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="fireside-bench-") as folder:
        profile = _dummy(options.profile, Path(folder)) if options.dummy_8b else recipes.variant(options.profile, {})
        model = recipes.text_model(configuration.load(profile))
        with running(recipes.fireside(profile)) as server:
            found = Report("gpu", f"Both engines on the {Path(options.profile).stem} profile", __doc__ or "")
            found.machine["ready after"] = f"{server.loading:.0f} s"
            found.tables = [*_alone(server, model, options), *_together(server, model, options)]
            found.machine |= _memory(found.machine)
    found.publish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="gpu", help="what to serve (default gpu)")
    parser.add_argument("--dummy-8b", action="store_true", help="made-up weights of an 8B Llama in place of the profile's text model")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 4, 16, 64], help="streams at once (default 1 4 16 64)")
    parser.add_argument("--tokens", type=int, default=256, help="tokens of each stream (default 256)")
    parser.add_argument("--repeats", type=int, default=3, help="bursts of each size (default 3)")
    return parser.parse_args()


def _dummy(profile: str, folder: Path) -> str:
    """A profile with an 8B Llama of made-up weights; its tokenizer comes from the model it replaces."""
    settings = configuration.load(profile)
    source = Store(settings.root / "models").path(settings.text.model)
    for file in source.iterdir():
        if file.suffix in {".json", ".jinja", ".txt", ".model"} and not file.name.startswith("model"):
            shutil.copy(file, folder)
    told = json.loads((source / "config.json").read_text(encoding="utf-8"))
    # Tokens that the tokenizer does not know have no text, and a stream without text has no first token to time.
    config = LLAMA_8B | {key: told[key] for key in ("vocab_size", "bos_token_id", "eos_token_id") if key in told}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return recipes.variant(profile, {"text": {"model": str(folder), "args": {"load_format": "dummy"}}})


def _alone(server: Server, model: str, options: argparse.Namespace) -> list[Table]:
    say("each engine alone")
    text, speech = _text_table("Text alone"), _speech_table("Speech alone")
    for amount in options.streams:
        text.rows.append((amount, *_text(_chats(server, model, amount, options))))
        speech.rows.append((amount, *_spoken(_speakers(server, amount, options.repeats))))
    return [text, speech]


def _together(server: Server, model: str, options: argparse.Namespace) -> list[Table]:
    """As many chats as speakers at the same time; the longer side goes on alone at the end."""
    say("both engines at once")
    text, speech = _text_table("Text while speech is made"), _speech_table("Speech while text is made")
    for amount in options.streams:
        with ThreadPoolExecutor(2) as pool:
            chats = pool.submit(_chats, server, model, amount, options)
            speakers = pool.submit(_speakers, server, amount, options.repeats)
            bursts, crowds = chats.result(), speakers.result()
        text.rows.append((amount, *_text(bursts)))
        speech.rows.append((amount, *_spoken(crowds)))
    return [text, speech]


def _chats(server: Server, model: str, amount: int, options: argparse.Namespace) -> list[chat.Burst]:
    say(f"  {amount} chats")
    return apart(chat.measure, server.port, model, amount, options.tokens, options.repeats, seed=amount * 10_000)


def _speakers(server: Server, amount: int, repeats: int) -> list[voice.Crowd]:
    say(f"  {amount} speakers")
    return apart(voice.measure, server.port, "http", amount, repeats)


def _text_table(title: str) -> Table:
    return Table(title, ("streams", "tokens/s", "TTFT p50 ms", "TTFT p95 ms", "ITL p50 ms", "ITL p95 ms"))


def _speech_table(title: str) -> Table:
    return Table(title, ("clients", "TTFA p50 ms", "TTFA p95 ms", "audible p50 ms", "RTFX (audio s / s)", "underruns", "stalled s"))


def _text(bursts: list[chat.Burst]) -> tuple[Figure, ...]:
    def ms(share: float, gaps: bool = False) -> Figure:
        return Figure.of(quantile(burst.gaps if gaps else burst.ttfts, share) * 1000 for burst in bursts)

    return Figure.of(burst.rate for burst in bursts), ms(0.5), ms(0.95), ms(0.5, gaps=True), ms(0.95, gaps=True)


def _spoken(crowds: list[voice.Crowd]) -> tuple[Figure, ...]:
    def of(read: Callable[[voice.Heard], float], share: float) -> Figure:
        return Figure.of(quantile([read(one) for one in crowd.heard], share) for crowd in crowds)

    first, late = of(lambda one: one.first, 0.5).scaled(1000), of(lambda one: one.first, 0.95).scaled(1000)
    audible, speed = of(lambda one: one.audible, 0.5).scaled(1000), Figure.of(crowd.speed for crowd in crowds)
    return first, late, audible, speed, of(lambda one: one.underruns, 0.5), of(lambda one: one.stalled, 0.5)


def _memory(machine: dict[str, str]) -> dict[str, str]:
    return {"gpu memory in use": used} if "gpu" in machine and (used := gpu_memory()) else {}


if __name__ == "__main__":
    main()
