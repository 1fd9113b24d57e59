"""Evaluation as data: a protocol in, one typed JSON and a report out."""

from fixative.evaluation.protocol import CountermeasureEntry, ProtectionEntry, Protocol
from fixative.evaluation.protocol_file import load_protocol, parse_protocol, shipped_protocols
from fixative.evaluation.results import Results
from fixative.evaluation.run import Progress, evaluate
from fixative.evaluation.subjects import Subject, subjects_of_folder, subjects_of_images
from fixative.evaluation.tools import Tools, load_tools

__all__ = [
    "CountermeasureEntry",
    "Progress",
    "ProtectionEntry",
    "Protocol",
    "Results",
    "Subject",
    "Tools",
    "evaluate",
    "load_protocol",
    "load_tools",
    "parse_protocol",
    "shipped_protocols",
    "subjects_of_folder",
    "subjects_of_images",
]
