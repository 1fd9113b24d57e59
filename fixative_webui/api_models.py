"""What the routes take and give; for pydantic 1 (A1111) and 2 (Forge)."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from fixative.protections.base import MAX_STRENGTH

_IMAGE = "A picture file in base64, as for the host's own routes; a data: prefix is allowed."
_DEFAULT = "Left out: as Settings, Fixative say."


class ProtectRequest(BaseModel, extra="forbid"):
    """A picture to protect."""

    image: str = Field(description=_IMAGE)
    strength: float | None = Field(
        None, ge=0, le=MAX_STRENGTH, description=f"Largest change of a colour, in 1/255. {_DEFAULT}"
    )
    target: str | None = Field(None, description=f"auto, low, mid or high. {_DEFAULT}")
    strength_map: str | None = Field(None, description=f"learned, lpips or off. {_DEFAULT}")
    vae: str | None = Field(None, description=f"auto, loaded or embedded. {_DEFAULT}")
    measure: bool = Field(False, description="Measure the pull, beside random noise's.")


class PurifyRequest(BaseModel, extra="forbid"):
    """A picture to try to take a protection off."""

    image: str = Field(description=_IMAGE)
    method: str = Field(
        "impress:fast",
        description="A countermeasure as on the command line: impress:fast, jpeg:75, "
        "jpeg:75+resize:0.5, …",
    )
    seed: int = Field(0, ge=0, description="Of all randomness.")
    vae: str | None = Field(None, description=f"auto, loaded or embedded. {_DEFAULT}")


class InspectRequest(BaseModel, extra="forbid"):
    """A picture to look at."""

    image: str = Field(description=f"{_IMAGE} As it was found: not resized.")


class PictureResponse(BaseModel):
    """A changed picture."""

    image: str = Field(description="A PNG in base64, with the input's EXIF, profile and alpha.")
    report: str = Field(description="Lines for a person.")
    notices: list[str] = Field(description="What the person must know.")
    info: dict[str, Any] = Field(description="The report in numbers.")


class InspectResponse(BaseModel):
    """What was found."""

    probability: float = Field(description="That it is protected, where half of all pictures are.")
    verdict: str = Field(description="The same in words.")
    report: str = Field(description="Lines for a person.")
    notices: list[str] = Field(description="What the person must know.")
    info: dict[str, Any] = Field(description="Every trace.")


class StatusResponse(BaseModel):
    """What there is."""

    version: str = Field(description="Of Fixative.")
    host: str = Field(description="a1111 or forge, and its version.")
    families: list[str] = Field(description="Latent families that there is a mixture for.")
    settings: dict[str, Any] = Field(description="What is taken where a request says nothing.")
    vae: str | None = Field(
        None, description="Which VAE a protection would look through now; only with look=true."
    )
    mixture: str | None = Field(
        None, description="Which mixture goes with it; only with look=true."
    )
