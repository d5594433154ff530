"""What splitting costs a stream: milliseconds that the splitter works on each token of an answer as it comes.

Every text is cut into tokens of about four characters, as a model's are, and fed to a splitter one by one, with the first fragment
allowed to end at a clause. Only the call that feeds a token is timed, in CPU time of its thread: what else runs on the machine is not the
splitter's work. Each text is fed in every round, after one that warms up; the figures are over all tokens of all rounds. The texts are
those that make the splitter work: prose, Markdown, scripts without blanks, text that gives it no place to end, and a bracket that is
never closed, which makes every stop a question.
"""

from __future__ import annotations

import argparse
import gc
import re
from time import thread_time

from benchmarks.processes import say
from benchmarks.results import Report, Table, Target
from benchmarks.stats import quantile
from voice.sentences import SentenceSplitter

TARGET = 0.2
"""Milliseconds per token at the 99th percentile."""
TOKEN = re.compile(r"\s?\w{1,5}|\s?[^\w\s]|\s+")
WIDE_TOKEN = re.compile(r".{1,2}", re.DOTALL)
LENGTH = 20_000

ANSWER = """## Planning a trip

Dr. Smith recommends **three** places, e.g. Rome (it is warm), and says: "Go in Sept. It is cheaper." See https://example.com/trips?a=1.

1. Book a flight: it costs $1,200.50, or 3.5% less on Mondays.
2. Pack light... really!
   - a coat (5 lb.)
   - shoes

| City | Price |
|------|-------|
| Rome | $900  |

> "Travel is fatal to prejudice," wrote Mark Twain in the U.S. in 1869.

"""
CODE = "```python\n" + "def add(a, b):\n    return a.value + b.value  # e.g. 1. Or 2.\n\n\n" * 20 + "```\n\nThat is all. It works.\n\n"
CHINESE = "你好，今天天气很好！他说：“我们去公园吧。”然后我们走了，买了3.5公斤苹果（很便宜）。你呢？"
HINDI = "नमस्ते। डॉ. शर्मा ने कहा कि आज मौसम अच्छा है, और हम बाहर जाएंगे। क्या आप आएंगे? "
GERMAN = "Am 3. Mai kam Dr. Müller z. B. nach Berlin, d. h. in die Hauptstadt. „Gut. Ja.“ Er blieb bis zum 5. Oktober. "
ENDLESS = "and so the river went on and on through the valley past the old mill "
OPEN = "He began (and this is what he said: one. Two. Then it rained. It was late. "

TEXTS = {
    "a chat answer in Markdown": ANSWER,
    "German with abbreviations": GERMAN,
    "a block of code": CODE,
    "Chinese": CHINESE,
    "Hindi": HINDI,
    "a paragraph without punctuation": ENDLESS,
    "a bracket that is never closed": OPEN,
    "digits": "3.14, 1,000 and 98.6 or 1.2.3 ",
}
LANGUAGES = {"Chinese": "zh", "Hindi": "hi", "German with abbreviations": "de"}


def main() -> None:
    options = _options()
    report(measure(options.rounds)).publish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.splitting", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each text is fed (default 5)")
    return parser.parse_args()


def measure(rounds: int) -> dict[str, list[float]]:
    """Milliseconds for every token of every round, by text."""
    samples: dict[str, list[float]] = {name: [] for name in TEXTS}
    gc.disable()  # a collection is paid by the token that happens to come then, and is nobody's splitting
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}" + (" (warms up)" if number == 0 else ""))
        for name, text in TEXTS.items():
            timed = _fed(tokens(text, name), LANGUAGES.get(name, "en"))
            samples[name] += timed if number else []
    gc.enable()
    return samples


def tokens(text: str, name: str) -> list[str]:
    whole = text * (LENGTH // len(text))
    return (WIDE_TOKEN if name == "Chinese" else TOKEN).findall(whole)


def _fed(pieces: list[str], language: str) -> list[float]:
    splitter, times = SentenceSplitter(language, clause_first=True), []
    for piece in pieces:
        begin = thread_time()
        splitter.feed(piece)
        times.append((thread_time() - begin) * 1000)
    return times


def report(samples: dict[str, list[float]]) -> Report:
    table = Table("Milliseconds per token", ("text", "tokens", "median", "99th percentile", "99.9th", "tokens/s"))
    found = Report("splitting", "What splitting costs a stream", __doc__ or "", [table])
    for name, times in samples.items():
        middle, high, highest = (quantile(times, share) for share in (0.5, 0.99, 0.999))
        table.rows.append((name, len(times), middle, high, highest, f"{len(times) / sum(times) * 1000:,.0f}"))
        found.targets.append(Target(f"{name}, 99th percentile", f"<= {TARGET} ms", f"{high:.3g} ms", high <= TARGET))
    return found


if __name__ == "__main__":
    main()
