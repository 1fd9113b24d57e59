"""Keywords of the node API that only some hosts know."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def build(factory: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call ``factory`` without the keywords that this host's version of it does not know.

    An unknown keyword in one input would lose the whole pack, so what newer hosts offer is asked
    for and dropped where it does not exist.
    """
    known = inspect.signature(factory).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        keywords = {name: value for name, value in keywords.items() if name in known}
    return factory(*arguments, **keywords)
