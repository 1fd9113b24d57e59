"""Picture files: read into 8-bit RGB with everything worth keeping, and written back whole.

This layer speaks Pillow and NumPy; PyTorch is imported only where tensors are asked for.
"""

from fixative.pictures.atomic import atomic_file, refuse_existing, write_text
from fixative.pictures.formats import OUTPUT_FORMATS, PICTURE_SUFFIXES, OutputFormat, output_format
from fixative.pictures.metadata import Metadata
from fixative.pictures.origin import change_left, find_origin
from fixative.pictures.picture import Picture
from fixative.pictures.reading import (
    DEFAULT_LIMITS,
    ReadLimits,
    picture_size,
    read_mask,
    read_picture,
)
from fixative.pictures.sheet import check_same_size, comparison_sheet
from fixative.pictures.workflow import with_workflow, without_generation
from fixative.pictures.writing import SavedPicture, write_picture

__all__ = [
    "DEFAULT_LIMITS",
    "OUTPUT_FORMATS",
    "PICTURE_SUFFIXES",
    "Metadata",
    "OutputFormat",
    "Picture",
    "ReadLimits",
    "SavedPicture",
    "atomic_file",
    "change_left",
    "check_same_size",
    "comparison_sheet",
    "find_origin",
    "output_format",
    "picture_size",
    "read_mask",
    "read_picture",
    "refuse_existing",
    "with_workflow",
    "without_generation",
    "write_picture",
    "write_text",
]
