"""
What OpenLIT makes of a span.

Read in openlit/openlit: ``src/client/src/constants/traces.ts`` at c7df0734,
``src/client/src/helpers/server/platform.ts`` at 06ca07d9, ``src/client/src/lib/platform/llm/`` ``cost.ts`` at 2acbc61b,
``token.ts`` at 4b6f841b and ``model.ts`` at 69c08600. Its panels sum attributes up over all spans that did not fail,
whatever their kind; it looks up no price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interop.seen import Seen, first

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKENS = ("gen_ai.usage.total_tokens", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")


def read(attributes: Mapping[str, Any], *, failed: bool = False) -> Seen:
    if failed:
        return Seen("not counted")
    return Seen(
        attributes.get("gen_ai.operation.name", ""),
        first(attributes, "gen_ai.request.model"),
        {key.removeprefix("gen_ai.usage."): attributes[key] for key in TOKENS if key in attributes},
        first(attributes, "gen_ai.usage.cost"),
        provider=first(attributes, "gen_ai.system"),
    )
