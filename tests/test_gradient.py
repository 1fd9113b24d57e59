"""Gradients of latent distances: exact, at any size, in whatever memory there is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fixative.codecs import CallableCodec, Codec, HostedCodec, HostedForm, KLCodec, load_codec
from fixative.codecs.gradient import LADDER, LatentGradient, Rung
from fixative.codecs.recompute import composite_blocks, recomputing
from fixative.codecs.tiles import tiles
from fixative.errors import CodecError
from tests.engine_parts import drawn_picture, random_codec


class Residual(nn.Module):
    """Normalise, convolve, add: as in a KL autoencoder, in miniature."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(4, width)
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, _time: Tensor | None = None) -> Tensor:
        return x + self.conv(F.silu(self.norm(x)))


class LDMEncoder(nn.Module):
    """The LDM layout, bags of modules and all: two levels, a middle, mean and variance."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, width, 3, padding=1)
        self.down = nn.ModuleList()
        for _ in range(2):
            level = nn.Module()
            level.block = nn.ModuleList([Residual(width), Residual(width)])
            level.downsample = nn.Sequential(nn.Conv2d(width, width, 2, 2))
            self.down.append(level)
        self.mid = nn.Module()
        self.mid.block_1 = Residual(width)
        self.conv_out = nn.Conv2d(width, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down:
            for block in level.get_submodule("block").children():
                x = block(x, None)
            x = level.get_submodule("downsample")(x)
        return self.conv_out(self.mid.block_1(x, None))  # pyright: ignore[reportCallIssue]


class LDM(nn.Module):
    """An autoencoder of that encoder, with the ``encode`` that a host's module has."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.encoder = LDMEncoder()

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x).chunk(2, 1)[0]


def averages(limit: int | None = None, error: type[BaseException] = MemoryError) -> Codec:
    """E is the mean of 8 × 8 pixels; raises above so many pixels."""

    def encode(images: Tensor) -> Tensor:
        if limit is not None and images.shape[-2] * images.shape[-1] > limit:
            raise error(f"no room for {tuple(images.shape)}\nand a second line")
        return F.avg_pool2d(images, 8)

    return CallableCodec(encode, name="averages", latent_channels=3, downscale=8)


class TestTiles:
    @pytest.mark.parametrize("size", [(64, 64), (104, 72), (8, 200)])
    @pytest.mark.parametrize("side", [None, 16, 24, 512])
    def test_every_cell_belongs_to_one(self, size: tuple[int, int], side: int | None) -> None:
        height, width = size
        count = torch.zeros(height // 8, width // 8)
        cells = torch.arange(count.numel()).reshape_as(count)
        pixels = cells.repeat_interleave(8, 0).repeat_interleave(8, 1)
        for tile in tiles(height, width, side=side, halo=20, downscale=8):
            count[tile.cells] += 1
            seen = pixels[tile.pixels][::8, ::8]
            assert torch.equal(seen[tile.own], cells[tile.cells])
            first, last = tile.cells[1].start * 8, tile.cells[1].stop * 8
            assert tile.pixels[1].start == max(0, first - 24)  # a halo of 20 is 3 cells
            assert tile.pixels[1].stop == min(width, last + 24)
        assert torch.equal(count, torch.ones_like(count))


class TestGradient:
    @pytest.mark.parametrize("rung", [Rung(False), Rung(True, 16, 8), Rung(True, 8, 0)])
    def test_by_hand(self, rung: Rung) -> None:
        """d/dx Σ(mean − z)² = 2 (mean − z)/64, twice where reflection shows a pixel again."""
        picture, target = drawn_picture(24, 28), torch.full((1, 3, 1, 1), 0.25)
        latents, found = LatentGradient(averages(), ladder=[rung])(picture, target)
        padded = F.pad(picture, (0, 4, 0, 0), mode="reflect")
        means = F.avg_pool2d(padded, 8)
        slope = (2 * (means - 0.25) / 64).repeat_interleave(8, 2).repeat_interleave(8, 3)
        expected = slope[..., :28].clone()
        expected[..., 23:27] += slope[..., 28:].flip(-1)
        torch.testing.assert_close(latents, means)
        torch.testing.assert_close(found, expected)

    def test_tiles_with_a_halo_of_its_reach_are_exact(self) -> None:
        """The embedded encoder is convolutions only, and sees 145 px far."""
        codec, picture = load_codec(), drawn_picture(43, 340)
        target = torch.zeros(1, 4, 1, 1)
        latents, whole = LatentGradient(codec, ladder=LADDER[:1])(picture, target)
        tiled = LatentGradient(codec, ladder=[Rung(True, 176, 152)])
        same_latents, same = tiled(picture, target)
        torch.testing.assert_close(same_latents, latents, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(same, whole, rtol=1e-3, atol=1e-4 * float(whole.abs().max()))
        narrow = LatentGradient(codec, ladder=[Rung(True, 176, 8)])(picture, target)[1]
        assert (narrow - whole).abs().max() > 1e-3 * whole.abs().max()  # the test can tell

    @pytest.mark.parametrize("kind", ["kl", "hosted", "tiny"])
    def test_recomputing_changes_nothing_but_memory(self, kind: str) -> None:
        codec: Codec = {
            "kl": lambda: KLCodec(LDM(), name="kl"),
            "hosted": lambda: HostedCodec(LDM(), HostedForm(4, 4), name="hosted"),
            "tiny": random_codec,
        }[kind]()
        picture, target = drawn_picture(40, 52), torch.zeros(1, 4, 1, 1)
        plain = LatentGradient(codec, ladder=[Rung(False)])(picture, target)
        frugal = LatentGradient(codec, ladder=[Rung(True)])(picture, target)
        for one, other in zip(plain, frugal, strict=True):
            assert torch.equal(one, other)
        assert frugal[1].abs().max() > 0

    def test_a_batch_equals_its_singles(self) -> None:
        pictures = torch.cat([drawn_picture(24, 24, seed=seed) for seed in (1, 2)])
        targets = torch.rand(2, 3, 3, 3, generator=torch.Generator().manual_seed(0))
        together = LatentGradient(averages())(pictures, targets)[1]
        alone = [LatentGradient(averages())(pictures[i : i + 1], targets[i])[1] for i in (0, 1)]
        assert torch.equal(together, torch.cat(alone))

    def test_where_a_host_has_switched_gradients_off(self) -> None:
        codec, target = random_codec(), torch.zeros(1, 4, 1, 1)
        expected = LatentGradient(codec)(drawn_picture(16, 16), target)[1]
        with torch.inference_mode():
            found = LatentGradient(codec)(drawn_picture(16, 16), target.clone())[1]
        assert torch.equal(found, expected)


class TestRecomputing:
    def test_blocks_are_the_parts_of_several_layers(self) -> None:
        blocks = composite_blocks(LDMEncoder())
        assert [type(block) for block in blocks] == [Residual] * 5

    def test_it_keeps_less_and_is_taken_away_again(self) -> None:
        encoder = LDMEncoder().requires_grad_(False)
        picture = drawn_picture(32, 32).requires_grad_(True)
        kept: dict[bool, int] = {}
        for recompute in (False, True):
            with recomputing(composite_blocks(encoder) if recompute else []):
                kept[recompute] = _bytes_kept(lambda: encoder(picture))
        assert kept[True] < 0.5 * kept[False]
        assert all("forward" not in block.__dict__ for block in composite_blocks(encoder))

    def test_a_forward_of_the_host_s_own_comes_back(self) -> None:
        block = Residual(8)
        own = block.forward
        block.forward = own
        with recomputing([block]):
            assert block.__dict__["forward"] is not own
        assert block.__dict__["forward"] is own

    def test_video_encoders_are_left_alone(self) -> None:
        form = HostedForm(4, 4, video=True)
        assert HostedCodec(LDM(), form, name="video").recomputable_blocks() == []


def _bytes_kept(run: Callable[[], Tensor]) -> int:
    """What autograd holds on to until the backward pass."""
    sizes: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel() * tensor.element_size())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return sum(sizes)


class TestLadder:
    ladder = (Rung(False), Rung(True), Rung(True, 64, 8), Rung(True, 32, 8), Rung(True, 16, 8))

    def gradient(self, limit: int, error: type[BaseException] = MemoryError) -> LatentGradient:
        codec = averages(limit, error)
        return LatentGradient(codec, out_of_memory=(MemoryError,), ladder=self.ladder)

    def test_it_steps_down_until_it_fits_and_says_so(self) -> None:
        picture, target = drawn_picture(96, 96), torch.zeros(1, 3, 1, 1)
        gradient = self.gradient(limit=48 * 48)
        _, found = gradient(picture, target)
        torch.testing.assert_close(found, LatentGradient(averages())(picture, target)[1])
        assert gradient.steps_down == [
            "out of memory (whole picture); went on with tiles of 64 px, activations recomputed",
            "out of memory (tiles of 64 px, activations recomputed); went on with "
            "tiles of 32 px, activations recomputed",
        ]
        assert gradient.way == "tiles of 32 px, activations recomputed"
        gradient(picture, target)
        assert len(gradient.steps_down) == 2  # it does not climb up to fall again

    def test_whole_but_recomputed_comes_first_where_blocks_are_known(self) -> None:
        class Narrow(KLCodec):
            def _encode(self, images: Tensor) -> Tensor:
                if not any("forward" in b.__dict__ for b in self.recomputable_blocks()):
                    raise torch.cuda.OutOfMemoryError("no room")
                return super()._encode(images)

        gradient = LatentGradient(Narrow(LDM(), name="kl"))
        gradient(drawn_picture(32, 32), torch.zeros(1, 4, 1, 1))
        assert gradient.way == "whole picture, activations recomputed"

    def test_at_the_end_it_tells_what_to_do(self) -> None:
        with pytest.raises(CodecError, match=r"vae: out of memory \(tiles of 16 px.*no room for"):
            self.gradient(limit=64)(drawn_picture(96, 96), torch.zeros(1, 3, 1, 1))

    def test_a_tile_that_holds_the_picture_is_not_tried(self) -> None:
        gradient = self.gradient(limit=40 * 40)
        gradient(drawn_picture(48, 48), torch.zeros(1, 3, 1, 1))
        assert [told.count("64 px") for told in gradient.steps_down] == [0]

    def test_other_errors_pass(self) -> None:
        with pytest.raises(KeyboardInterrupt):
            self.gradient(64, KeyboardInterrupt)(drawn_picture(96, 96), torch.zeros(1, 3, 1, 1))

    def test_large_pictures_are_tiled_from_the_start(self) -> None:
        gradient = LatentGradient(averages())
        gradient(torch.rand(1, 3, 768, 776), torch.zeros(1, 3, 1, 1))
        assert gradient.way == "tiles of 512 px, activations recomputed"
        assert gradient.steps_down == []
        gradient = LatentGradient(averages())
        gradient(torch.rand(1, 3, 768, 768), torch.zeros(1, 3, 1, 1))
        assert gradient.way == "whole picture"
