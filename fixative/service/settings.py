"""What the person who runs the service decides."""

from __future__ import annotations

from dataclasses import dataclass, fields

from fixative.errors import SettingError
from fixative.pictures import ReadLimits

#: The environment variable that holds the bearer token.
TOKEN_VARIABLE = "FIXATIVE_TOKEN"
_MOST_SECONDS = 86_400.0
_FEWEST_CHARACTERS = 16


@dataclass(frozen=True)
class ServiceSettings:
    """Limits of one service; every one is there to keep memory and waiting bounded.

    Attributes:
        token: what requests must bear; None lets everybody in.
        max_megapixels: the largest picture, above 0 and at most 178.
        max_megabytes: the largest request body.
        places: requests whose pictures are unpacked, waiting, protected or packed at one time.
        total_megapixels: what these pictures hold together, at most; one may be larger.
        uploads: requests whose bodies are being received at one time.
        batch: pictures of one size that go through the engine together, at most.
        batch_megapixels: what a batch holds at most; one picture may be larger.
        upload_seconds: a request must have come whole within so long.
        wait_seconds: a picture waits for the engine at most so long.
        stop_seconds: when told to stop, the service finishes what is begun for at most so long.
        retry_seconds: what a client that is refused for want of room is told to wait.
    """

    token: str | None = None
    max_megapixels: float = 32.0
    max_megabytes: float = 64.0
    places: int = 16
    total_megapixels: float = 128.0
    uploads: int = 64
    batch: int = 4
    batch_megapixels: float = 8.0
    upload_seconds: float = 30.0
    wait_seconds: float = 60.0
    stop_seconds: float = 120.0
    retry_seconds: int = 5

    def __post_init__(self) -> None:
        ReadLimits(megapixels=self.max_megapixels)
        for field in fields(self):
            value: object = getattr(self, field.name)
            if isinstance(value, float | int) and not 0 < value <= _MOST_SECONDS:
                raise SettingError(
                    f"{field.name}: expected above 0 and at most {_MOST_SECONDS:g}, got {value:g}"
                )
        if self.token is not None:
            _check_token(self.token)

    @property
    def limits(self) -> ReadLimits:
        """The largest picture that is read."""
        return ReadLimits(megapixels=self.max_megapixels)

    @property
    def max_bytes(self) -> int:
        """The largest request body, in bytes."""
        return int(self.max_megabytes * 1e6)


def _check_token(token: str) -> None:
    if len(token) < _FEWEST_CHARACTERS or not (token.isascii() and token.isprintable()):
        raise SettingError(
            f"{TOKEN_VARIABLE}: expected at least {_FEWEST_CHARACTERS} printable ASCII characters, "
            f"got {len(token)}; make one with `openssl rand -hex 24`"
        )
    if " " in token:
        raise SettingError(f"{TOKEN_VARIABLE}: has a space in it; choose one without")
