"""Stable Diffusion 1, 2 and XL as denoisers, of the parts that diffusers and transformers build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fixative.errors import SettingError
from fixative.mimicry.denoiser import Condition, Denoiser

#: What a network may predict, by diffusers' names.
NOISE, VELOCITY = "epsilon", "v_prediction"
#: Pixels that a latent cell spans.
DOWNSCALE = 8


@dataclass(frozen=True)
class Schedule:
    """How much of the latents is left at each time.

    Attributes:
        levels: ᾱ, (T,) float32.
        predicts: ``epsilon`` or ``v_prediction``.
    """

    levels: Tensor
    predicts: str = NOISE


@dataclass(frozen=True)
class TextEncoder:
    """A tokenizer and its encoder.

    Attributes:
        tokenizer: of transformers.
        encoder: CLIP's text model of transformers.
    """

    tokenizer: Any
    encoder: nn.Module

    def tokens(self, captions: Sequence[str]) -> Tensor:
        """(B, T) int64.

        Raises:
            SettingError: a caption does not fit.
        """
        # Some tokenizers, as ComfyUI's, claim far more than the encoder has places for.
        encoder: Any = self.encoder
        places = int(encoder.config.max_position_embeddings)
        most = min(int(self.tokenizer.model_max_length), places)
        for caption in captions:
            count = len(self.tokenizer(caption).input_ids)
            if count > most:
                raise SettingError(
                    f"caption: has {count} tokens, and the model takes {most}; shorten "
                    f"{caption[:40]!r}…"
                )
        told = self.tokenizer(
            list(captions), padding="max_length", max_length=most, return_tensors="pt"
        )
        return told.input_ids


@dataclass(frozen=True)
class Parts:
    """What a model is made of.

    Attributes:
        unet: ``UNet2DConditionModel`` of diffusers.
        texts: one (Stable Diffusion 1 and 2), or XL's two.
        schedule: its times.
    """

    unet: nn.Module
    texts: tuple[TextEncoder, ...]
    schedule: Schedule


class DiffusersDenoiser(Denoiser):
    """A UNet with its text encoders; all become the denoiser's own.

    Args:
        parts: as loaded.
        name: what messages call it.
        device: where all of it goes.
    """

    def __init__(self, parts: Parts, *, name: str, device: torch.device | str = "cpu") -> None:
        config: Any = parts.unet.config
        self._extended = is_extended(config)
        super().__init__(
            parts.unet.requires_grad_(False).eval().to(device),
            name=name,
            family="sdxl" if self._extended else "sd1",
            latent_channels=int(config.in_channels),
            resolution=int(config.sample_size) * DOWNSCALE,
            device=device,
        )
        self._texts, self._predicts = parts.texts, parts.schedule.predicts
        self._levels = parts.schedule.levels.to(self.device)
        for text in parts.texts:
            text.encoder.requires_grad_(False).eval().to(device)

    @torch.no_grad()
    def condition(self, captions: Sequence[str]) -> Condition:
        if not self._extended:
            encoder = self._texts[0]
            tokens = encoder.tokens(captions).to(self.device)
            return {"words": encoder.encoder(tokens).last_hidden_state.float()}
        hidden: list[Tensor] = []
        pooled = torch.empty(0)
        for text in self._texts:
            found = text.encoder(text.tokens(captions).to(self.device), output_hidden_states=True)
            hidden.append(found.hidden_states[-2])
            pooled = found[0]  # the last one's counts
        side = self.resolution
        sizes = torch.tensor([[side, side, 0, 0, side, side]] * len(captions)).float()
        words = torch.cat(hidden, -1).float()
        return {"words": words, "pooled": pooled.float(), "sizes": sizes.to(self.device)}

    def scales(self, times: Tensor) -> tuple[Tensor, Tensor]:
        level = self._levels[self._steps(times)]
        return level.sqrt(), (1 - level).sqrt()

    def denoised(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
        noisy = noisy.to(self.device, torch.float32)
        kind = next(self.network.parameters()).dtype
        more: dict[str, Any] = {}
        if self._extended:
            more["added_cond_kwargs"] = {
                "text_embeds": condition["pooled"].to(kind),
                "time_ids": condition["sizes"].to(kind),
            }
        found = self.network(
            noisy.to(kind), self._steps(times), condition["words"].to(kind), **more
        ).sample.float()
        signal, level = (each[:, None, None, None] for each in self.scales(times))
        if self._predicts == VELOCITY:
            return signal * noisy - level * found
        return (noisy - level * found) / signal

    def loss_weight(self, times: Tensor) -> Tensor:
        """That of the predicted noise, (a/b)², or of the predicted velocity, 1/b²."""
        if self._predicts == VELOCITY:
            return self.scales(times)[1].square().reciprocal()
        return super().loss_weight(times)

    def _steps(self, times: Tensor) -> Tensor:
        """Times (B,) in [0, 1] as the network counts them."""
        last = len(self._levels) - 1
        return (times.to(self.device) * last).round().long().clamp(0, last)


def is_extended(config: Any) -> bool:
    """Whether a UNet of this configuration is XL's: told sizes and a pooled caption, too."""
    return config.addition_embed_type == "text_time"
