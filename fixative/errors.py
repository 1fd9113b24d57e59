"""The one family of errors that a user's mistake raises."""

from __future__ import annotations


class FixativeError(Exception):
    """A user can mend this: the message names the input, what was expected and what to do."""


class ImageError(FixativeError):
    """A picture that cannot be read, or is not of the shape, type or range asked for."""


class PictureTooLargeError(ImageError):
    """A picture of more pixels than are read."""


class CodecError(FixativeError):
    """A latent autoencoder that cannot be loaded or cannot do what was asked."""


class WeightsError(FixativeError):
    """A weights file that is missing, damaged, or not what its manifest promises."""


class MixtureError(FixativeError):
    """A mixture that does not fit the codec or the request."""


class SettingError(FixativeError):
    """A setting outside its range, or an unknown name."""
