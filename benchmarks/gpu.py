"""The real service with both engines, alone and together: time to first token and audio, gaps, tokens and audio per second.

Meant for a GPU machine (`make bench-gpu`), and runs on any profile; `--profile` may be the path of a YAML file. The profile's weights
must be there: `fireside models prepare` first. At once means all the time: the side that has its figures goes on until the other has
its own.

`--dummy-8b` serves a Llama of eight billion parameters with made-up weights on the tokenizer of the profile's text model: the work of
such a model without its weights, and no sense.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import settings as configuration
from benchmarks import chat, recipes, voice
from benchmarks.apart import OtherFailed, Side, beside, sides
from benchmarks.machine import gpu_memory
from benchmarks.processes import Server, ServerFailed, running, say
from benchmarks.results import Report, Table
from benchmarks.stats import Figure, quantile
from benchmarks.wire import Truncated
from models.store import Store

CONTEXT = 8192
LLAMA_8B = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "hidden_act": "silu", "max_position_embeddings": CONTEXT,
    "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "vocab_size": 128256,
}  # fmt: skip
FAILURES = (chat.Incomplete, voice.NoAudio, Truncated, OtherFailed, BrokenProcessPool, OSError)


def main() -> int:
    options = _options()
    found = Report("gpu", f"Both engines on the {Path(options.profile).stem} profile", __doc__ or "")
    try:
        recipes.require_weights(options.profile)
        with tempfile.TemporaryDirectory(prefix="fireside-bench-") as folder:
            profile = dummy(options.profile, Path(folder)) if options.dummy_8b else recipes.variant(options.profile, {})
            with running(recipes.fireside(profile)) as server:
                found.machine["ready after"] = f"{server.loading:.0f} s"
                measure(found, server, recipes.text_model(configuration.load(profile)), options)
                found.machine |= _memory(found.machine)
    except ServerFailed as error:
        sys.exit(str(error))
    finally:
        if any(table.rows for table in found.tables):
            found.publish()
    return 1 if found.missing else 0


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


def dummy(profile: str, folder: Path) -> str:
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
    longest = min(int(settings.text.args.get("max_model_len") or CONTEXT), CONTEXT)
    return recipes.variant(profile, {"text": {"model": str(folder), "args": {"load_format": "dummy", "max_model_len": longest}}})


def measure(found: Report, server: Server, model: str, options: argparse.Namespace) -> None:
    """Fill the report row by row: what fails is missing in it, and the rest is measured all the same."""
    alone = [_text_table("Text alone"), _speech_table("Speech alone")]
    mixed = [_text_table("Text while speech is made"), _speech_table("Speech while text is made")]
    found.tables = [*alone, *mixed]
    say("each engine alone")
    for amount in options.streams:
        _alone(found, alone, server, model, amount, options)
    say("both engines at once")
    for amount in options.streams:
        _at_once(found, mixed, server, model, amount, options)


def _alone(found: Report, tables: list[Table], server: Server, model: str, amount: int, options: argparse.Namespace) -> None:
    text, speech = tables
    _row(found, text, amount, lambda: _text(_chats(server, model, amount, options)))
    _row(found, speech, amount, lambda: _spoken(_speakers(server, amount, options)))


def _at_once(found: Report, tables: list[Table], server: Server, model: str, amount: int, options: argparse.Namespace) -> None:
    text, speech = tables
    with sides() as (one, other), ThreadPoolExecutor(2) as pool:
        chats = pool.submit(_chats, server, model, amount, options, one)
        speakers = pool.submit(_speakers, server, amount, options, other)
        _row(found, text, amount, lambda: _text(chats.result()))
        _row(found, speech, amount, lambda: _spoken(speakers.result()))


def _row(found: Report, table: Table, amount: int, figures: Callable[[], tuple[Figure, ...]]) -> None:
    try:
        table.rows.append((amount, *figures()))
    except FAILURES as error:
        found.missing.append(f"{table.title}, {amount}: {type(error).__name__}: {error}")
        say(f"  {found.missing[-1]}")


def _chats(server: Server, model: str, amount: int, options: argparse.Namespace, side: Side | None = None) -> list[chat.Burst]:
    say(f"  {amount} chats")
    return beside(side, chat.measure, server.port, model, amount, options.tokens, options.repeats, seed=amount * 10_000)


def _speakers(server: Server, amount: int, options: argparse.Namespace, side: Side | None = None) -> list[voice.Crowd]:
    say(f"  {amount} speakers")
    return beside(side, voice.measure, server.port, "http", amount, options.repeats)


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
    sys.exit(main())
