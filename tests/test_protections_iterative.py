"""The iterative protections: gradients of their losses, where they steer to, what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fixative.codecs import CallableCodec
from fixative.codecs.base import Codec
from fixative.codecs.gradient import LatentGradient, Rung
from fixative.errors import CodecError, SettingError
from fixative.images import LEVELS
from fixative.mixture import SIDE
from fixative.perceptual.distance import LearnedDistance
from fixative.protections.descent import descend_by_adam
from fixative.protections.glaze import PERCEPTUAL_BUDGET, GlazeLike, perceptual_hinge
from fixative.protections.goals import PatternGoal, mist_pattern, repeated
from fixative.protections.latent_descent import LatentDescent
from fixative.protections.mist import MistTexture
from fixative.protections.photoguard import PhotoGuard
from fixative.protections.style import draw_strokes, match_colours, transfer_style
from fixative.training.targets import draw_targets
from tests.engine_parts import drawn_picture
from tests.toy_models import toy_codec

BETA = 30.0


class Bent(Codec):
    """A curved toy autoencoder in float64, so that numerical gradients are exact enough."""

    def __init__(self) -> None:
        super().__init__(name="bent", latent_channels=3, downscale=8)
        generator = torch.Generator().manual_seed(0)
        self._weight = torch.randn(3, 3, 8, 8, generator=generator, dtype=torch.float64) / 8

    def encode(self, images: Tensor) -> Tensor:
        return F.conv2d(images, self._weight, stride=8).tanh()

    def decode_unclamped(self, latents: Tensor) -> Tensor:
        return F.conv_transpose2d(latents, self._weight, stride=8).sigmoid()

    def _encode(self, images: Tensor) -> Tensor:
        return self.encode(images)


def latent_loss(codec: Codec, x: Tensor, goal: Tensor) -> Tensor:
    """From the formula: mean (E(x) − z)² + β · mean (D(E(x)) − x)² on [−1, 1]."""
    latents = codec.encode(x)
    again = codec.decode_unclamped(latents)
    consistency = ((2 * again - 1) - (2 * x - 1)).square().mean()
    return (latents - goal).square().mean() + BETA * consistency


def double_picture() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(1, 3, 16, 24, generator=generator, dtype=torch.float64)
    return x, torch.randn(1, 3, 2, 3, generator=generator, dtype=torch.float64)


class TestGradients:
    def test_latent_and_consistency_loss(self) -> None:
        codec = Bent()
        x, goal = double_picture()
        gradient = LatentGradient(codec, consistency=BETA)
        _, found = gradient(x, goal)
        leaf = x.clone().requires_grad_(True)
        assert torch.autograd.gradcheck(lambda t: latent_loss(codec, t, goal), leaf)
        (exact,) = torch.autograd.grad(latent_loss(codec, leaf, goal), leaf)
        torch.testing.assert_close(found / goal.numel(), exact, rtol=1e-10, atol=1e-14)
        left = (codec.decode_unclamped(codec.encode(x)) - x).square().mean() * 4
        assert gradient.inconsistency == pytest.approx(left.item(), rel=1e-10)

    def test_tiles_give_the_same(self) -> None:
        """E and D of the toy see 8 × 8 blocks only, so tiles are exact without a halo."""
        codec = Bent()
        x, goal = double_picture()
        _, whole = LatentGradient(codec, consistency=BETA)(x, goal)
        tiled = LatentGradient(codec, consistency=BETA, ladder=[Rung(False, 8, 8)])
        torch.testing.assert_close(tiled(x, goal)[1], whole)
        assert "tiles" in tiled.way

    def test_hinge(self) -> None:
        x, _ = double_picture()
        changed = (x + 0.2 * torch.sin(40 * x)).clamp(0, 1)

        class Distance:
            name = "toy"

            def __call__(self, first: Tensor, second: Tensor) -> Tensor:
                return (first - second).pow(2).flatten(1).mean(1) * 20

        def cost(t: Tensor) -> Tensor:
            return 30 * (Distance()(t, x) - 0.05).clamp_min(0).sum()

        leaf = changed.clone().requires_grad_(True)
        assert torch.autograd.gradcheck(cost, leaf)
        with torch.inference_mode():
            seen, found = perceptual_hinge(Distance(), changed.clone(), x.clone())
        assert seen > PERCEPTUAL_BUDGET
        torch.testing.assert_close(found, torch.autograd.grad(cost(leaf), leaf)[0])
        assert perceptual_hinge(Distance(), x + 1e-4, x)[1].abs().max() == 0

    def test_adam_is_torchs(self) -> None:
        generator = torch.Generator().manual_seed(0)
        images = torch.full((1, 3, 4, 4), 0.5)
        pole = torch.randn(images.shape, generator=generator)
        own = list(
            descend_by_adam(
                images,
                torch.zeros_like(images),
                lambda change: (change, 2 * (change - pole)),
                bound=torch.tensor(10.0),
                rate=0.005,
                steps=12,
            )
        )
        leaf = torch.zeros_like(images).requires_grad_(True)
        adam = torch.optim.Adam([leaf], lr=0.005)
        for _ in range(12):
            adam.zero_grad()
            (leaf - pole).square().sum().backward()
            adam.step()
        torch.testing.assert_close(own[-1].change, leaf.detach())
        assert len(own) == 13


class TestGoals:
    def test_a_512_picture_has_the_mixtures_goal(self) -> None:
        """The motif keeps its size: a smaller picture's goal is the corner of the larger one's."""
        codec = toy_codec()
        goal = PatternGoal(codec, draw_targets()[0])
        large, small = goal(drawn_picture(SIDE, SIDE)), goal(drawn_picture(96, 64))
        torch.testing.assert_close(large, codec.encode(draw_targets()[:1]))
        torch.testing.assert_close(small, large[..., :12, :8])

    def test_patterns_go_on(self) -> None:
        pattern = draw_targets()[2]
        wide = repeated(pattern, 600, 1100)
        assert wide.shape == (3, 600, 1100)
        assert torch.equal(wide[:, :88, 512:1024], pattern[:, :88])
        drawn = mist_pattern()
        assert set(drawn.unique().tolist()) == {0.0, 1.0}
        assert torch.equal(drawn, drawn.roll(128, -1))

    def test_latents_of_each_picture(self) -> None:
        """A goal for each picture of a batch goes to that picture."""
        codec = toy_codec()
        pictures = torch.cat([drawn_picture(16, 16, seed=seed) for seed in (1, 2)])
        goals = codec.encode(1 - pictures)
        both = PhotoGuard(codec, goals, steps=3).protect(pictures).image
        single = PhotoGuard(codec, goals[1:], steps=3).protect(pictures[1:]).image
        assert torch.equal(both[1:], single)
        assert not torch.equal(both[:1], pictures[:1])


class TestStyle:
    def test_colours_become_the_styles(self) -> None:
        style, picture = draw_strokes()[None], drawn_picture(64, 64)
        found = match_colours(picture, style).flatten(2)[0].double()
        wanted = style.flatten(2)[0].double()
        torch.testing.assert_close(found.mean(1), wanted.mean(1), atol=1e-4, rtol=0)
        torch.testing.assert_close(found.cov(), wanted.cov(), atol=1e-4, rtol=1e-3)

    def test_a_painted_picture_keeps_its_shapes_and_gains_strokes(self) -> None:
        style, picture = draw_strokes()[None], drawn_picture(SIDE, SIDE)
        painted = transfer_style(picture, style)
        assert painted.shape == picture.shape
        assert painted.min() >= 0
        assert painted.max() <= 1
        assert (painted - picture).abs().mean() > 0.1

        def likeness(other: Tensor) -> float:
            pair = [x.mean(1).flatten() for x in (painted, other)]
            return torch.corrcoef(torch.stack(pair))[0, 1].abs().item()

        assert likeness(style) > 0.2
        assert likeness(picture) > 0.05


MAKERS: list[Callable[[], object]] = [
    lambda: PhotoGuard(toy_codec(), torch.zeros(1, 4, 1, 1), steps=0),
    lambda: MistTexture(toy_codec(), steps=5001),
    lambda: GlazeLike(toy_codec(), LearnedDistance(), steps=0),
    lambda: PhotoGuard(toy_codec(), torch.zeros(1, 4, 1, 1), consistency=-1),
    lambda: LatentDescent(
        toy_codec(), torch.zeros(1, 4, 1, 1), strength=1, sizes=[1 / LEVELS], consistency=1e4
    ),
]


@pytest.mark.parametrize("make", MAKERS)
def test_numbers_out_of_range_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(SettingError, match="expected"):
        make()


def test_the_adaptive_term_without_a_decoder_is_refused() -> None:
    encoder_only = CallableCodec(
        lambda x: F.avg_pool2d(x, 8), name="half", latent_channels=3, downscale=8
    )
    method = PhotoGuard(encoder_only, torch.zeros(1, 3, 1, 1), steps=1, consistency=BETA)
    with pytest.raises(CodecError, match="codec half: has no decoder"):
        method.protect(drawn_picture(16, 16))
