"""Latent autoencoders behind one interface."""

from fixative.codecs.base import UNKNOWN_FAMILY, Codec
from fixative.codecs.families import SCALINGS, FamilyMatch, identify_family
from fixative.codecs.hosted import HostedCodec, HostedForm
from fixative.codecs.load import EMBEDDED, load_codec
from fixative.codecs.module import CallableCodec, KLCodec
from fixative.codecs.tiny import TinyCodec

__all__ = [
    "EMBEDDED",
    "SCALINGS",
    "UNKNOWN_FAMILY",
    "CallableCodec",
    "Codec",
    "FamilyMatch",
    "HostedCodec",
    "HostedForm",
    "KLCodec",
    "TinyCodec",
    "identify_family",
    "load_codec",
]
