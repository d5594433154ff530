"""The language model inside XTTS, token by token: `Xtts.inference_stream` of Coqui without the part that allows one caller at a time.

Coqui goes through transformers' `generate`, which keeps the sentence in the model and draws from torch's one generator. Here nothing
is kept outside the sentence, so that several share the weights, and each draws from its own generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import (
    DynamicCache,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

# What stands for the prefix where Coqui counts which tokens there have been: the repetition penalty falls on it too.
_PREFIX_TOKEN = 1


@dataclass(frozen=True, slots=True)
class Sampling:
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float


class Utterance:
    """One sentence on its way: `step` makes a token and gives its latent, until `ended`."""

    def __init__(self, gpt: nn.Module, conditioning: Tensor, text: Tensor, sampling: Sampling, generator: torch.Generator) -> None:
        self._gpt, self._generator = gpt, generator
        self._processors = _processors(sampling)
        self._cache = DynamicCache(config=gpt.gpt.config)
        self._tokens = torch.tensor([[_PREFIX_TOKEN, gpt.start_audio_token]], device=text.device)
        with torch.inference_mode():
            self._inputs = _prefix(gpt, conditioning, text)
        self.made = 0
        self.ended = False

    @property
    def exhausted(self) -> bool:
        """Whether the model has no place for another token, though the sentence has not ended."""
        return not self.ended and self.made >= int(self._gpt.max_gen_mel_tokens)

    def step(self) -> Tensor:
        """The latent [1, C] of the next token; the last one's belongs to the end of the sentence."""
        with torch.inference_mode():
            return self._step(self._gpt)

    def _step(self, gpt: nn.Module) -> Tensor:
        hidden = gpt.gpt(inputs_embeds=self._inputs, past_key_values=self._cache, use_cache=True).last_hidden_state
        latent: Tensor = gpt.final_norm(hidden[:, -1])
        scores = self._processors(self._tokens, gpt.mel_head(latent).float())
        token = torch.multinomial(scores.softmax(-1), 1, generator=self._generator)
        self.made += 1
        self.ended = token.item() == gpt.stop_audio_token
        self._tokens = torch.cat([self._tokens, token], dim=1)
        self._inputs = gpt.mel_embedding(token) + gpt.mel_pos_embedding.get_fixed_embedding(self.made, token.device)
        return latent


def _processors(sampling: Sampling) -> LogitsProcessorList:
    """As `generate` orders them."""
    return LogitsProcessorList(
        [
            RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty)),
            TemperatureLogitsWarper(float(sampling.temperature)),
            TopKLogitsWarper(sampling.top_k),
            TopPLogitsWarper(float(sampling.top_p)),
        ]
    )


def _prefix(gpt: nn.Module, conditioning: Tensor, text: Tensor) -> Tensor:
    """Speaker [1, N, C], text [1, T] between its start and stop, and the token that begins speech: [1, N + T + 3, C]."""
    text = nn.functional.pad(text, (0, 1), value=gpt.stop_text_token)
    text = nn.functional.pad(text, (1, 0), value=gpt.start_text_token)
    said = gpt.text_embedding(text) + gpt.text_pos_embedding(text)
    start = torch.full((1, 1), gpt.start_audio_token, device=text.device)
    return torch.cat([conditioning, said, gpt.mel_embedding(start) + gpt.mel_pos_embedding(start)], dim=1)
