"""Real picture files and profiles, made on the spot for the tests of the file layer."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def photo(width: int = 48, height: int = 32, *, channels: int = 3, seed: int = 1) -> np.ndarray:
    """A smooth, colourful picture with some grain, (height, width, channels) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (5 + c) + c) + np.cos(y / (7 - c)) for c in range(channels)]
    values = 128 + 45 * np.stack(waves, -1) + rng.normal(0, 6, (height, width, channels))
    return np.clip(values, 0, 255).astype(np.uint8)


def save_photo(path: Path, width: int = 48, height: int = 32, *, seed: int = 1) -> np.ndarray:
    """Write a photo as an RGB file and return its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = photo(width, height, seed=seed)
    Image.fromarray(pixels).save(path)
    return pixels


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bytes(
    size: tuple[int, int], *, bits: int, colour: int, rows: bytes, extra: bytes = b""
) -> bytes:
    """A PNG by hand, for the depths that Pillow reads and does not write."""
    head = struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, 0)
    body = png_chunk(b"IHDR", head) + extra + png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def deep_png(values: np.ndarray, *, extra: bytes = b"") -> bytes:
    """A 16-bit PNG of (H, W, 1 to 4) uint16 values."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    return png_bytes((width, height), bits=16, colour=colour, rows=rows, extra=extra)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", offset, len(data))
        body, offset = body + padded, offset + len(padded)
    date = struct.pack(">6H", 2024, 1, 1, 0, 0, 0)
    white = _fixed(0.9642) + _fixed(1.0) + _fixed(0.8249)
    head = struct.pack(">I4sI4s4s4s", offset, bytes(4), 0x02100000, kind, space, connection)
    head += date + b"acsp" + bytes(28) + white + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


def grey_profile(gamma: float) -> bytes:
    """A grey ICC profile with this gamma."""
    white = b"XYZ " + bytes(4) + _fixed(0.9642) + _fixed(1.0) + _fixed(0.8249)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": white, b"kTRC": curve})


#: Lab of the eight full overprints of C, M, Y as on coated paper; black ink makes all of them 0.
_OVERPRINTS = {
    (0, 0, 0): (100, 0, 0),
    (1, 0, 0): (55, -37, -50),
    (0, 1, 0): (48, 74, -3),
    (0, 0, 1): (89, -5, 93),
    (0, 1, 1): (47, 68, 48),
    (1, 0, 1): (50, -65, 27),
    (1, 1, 0): (24, 22, -46),
    (1, 1, 1): (20, 0, 0),
}


def cmyk_profile() -> bytes:
    """A CMYK printer profile of a two-point table."""
    ramp = bytes(range(256))
    table = b""
    for index in np.ndindex(2, 2, 2, 2):
        light, a, b = (0, 0, 0) if index[3] else _OVERPRINTS[index[:3]]
        table += bytes((round(light * 2.55), a + 128, b + 128))
    identity = b"".join(_fixed(float(i % 4 == 0)) for i in range(9))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + ramp * 4 + table + ramp * 3
    white = b"XYZ " + bytes(4) + _fixed(0.9642) + _fixed(1.0) + _fixed(0.8249)
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": white, b"A2B0": lut})


def jpeg_with_thumbnail(pixels: np.ndarray, thumbnail: np.ndarray) -> bytes:
    """A JPEG whose EXIF holds a description, an orientation of 1 and a JPEG thumbnail."""
    small = io.BytesIO()
    Image.fromarray(thumbnail).save(small, "JPEG")
    text = b"a field\0"
    first = struct.pack(">H", 2) + struct.pack(">HHII", 0x010E, 2, len(text), 62 + 12)
    first += struct.pack(">HHIHH", 0x0112, 3, 1, 1, 0) + struct.pack(">I", 38)
    start = 62 + 12 + len(text)
    second = struct.pack(">H", 3) + struct.pack(">HHIHH", 0x0103, 3, 1, 6, 0)
    second += struct.pack(">HHII", 0x0201, 4, 1, start)
    second += struct.pack(">HHII", 0x0202, 4, 1, len(small.getvalue())) + bytes(4)
    tiff = b"MM\0*" + struct.pack(">I", 8) + first
    assert len(tiff) == 38
    tiff = (tiff + second).ljust(74, b"\0")
    assert len(tiff) <= start
    exif = b"Exif\0\0" + tiff[:74].ljust(74, b"\0") + text + small.getvalue()
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()
