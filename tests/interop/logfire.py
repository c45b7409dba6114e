"""
What Logfire makes of a span.

Its server is not public; its documentation says what it reads: pydantic/logfire ``docs/guides/web-ui/llm-panels.md``
at 9467076d. A span with these attributes is an LLM request; ``operation.cost`` is used where it is, else a price is
looked up for the tokens; a parent shows the sum of what is inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interop.seen import Seen, first

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")


def read(attributes: Mapping[str, Any]) -> Seen:
    model = first(attributes, "gen_ai.response.model", "gen_ai.request.model")
    tokens = {key.removeprefix("gen_ai.usage."): attributes[key] for key in TOKENS if key in attributes}
    provider = first(attributes, "gen_ai.system")
    is_request = None not in (model, provider) and bool(tokens)
    cost = first(attributes, "operation.cost")
    priced = is_request and cost is None and any(tokens.values())
    return Seen("LLM" if is_request else "span", model, tokens, cost, provider=provider, prices_itself=priced)
