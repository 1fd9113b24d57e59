"""Keywords of the node API that only some hosts know."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
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


def check_choices(
    given: Mapping[str, str | None], offered: Mapping[str, Sequence[str]]
) -> bool | str:
    """What ``validate_inputs`` returns: hosts up to 0.3.75 let any text through for a Combo.

    Args:
        given: the value of each Combo; None where another node will deliver it.
        offered: the options of each.

    Returns:
        True, or what is wrong with the first bad one.
    """
    for name, options in offered.items():
        value = given[name]
        if value is not None and value not in options:
            return f"{name}: expected one of {', '.join(options)}; got {value!r}"
    return True
