"""What the API takes and gives; pydantic 1 and 2 both read it."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class ExtrasSingleImageRequest(BaseModel):
    image: str = ""
    upscaling_resize: float = 1


class FileData(BaseModel):
    data: str
    name: str = ""


class ExtrasBatchImagesRequest(BaseModel):
    imageList: list[FileData] = []  # noqa: N815 - the API's name
    upscaling_resize: float = 1


class ExtrasSingleImageResponse(BaseModel):
    image: str
    html_info: str


class ExtrasBatchImagesResponse(BaseModel):
    images: list[str]
    html_info: str


class TextToImageRequest(BaseModel):
    prompt: str = ""
    seed: int = 1
    n_iter: int = 1
    batch_size: int = 1
    width: int = 96
    height: int = 64
    send_images: bool = True
    save_images: bool = False


class TextToImageResponse(BaseModel):
    images: list[str]
    parameters: dict[str, Any]
    info: str
