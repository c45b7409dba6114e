"""
The many names of one model: prefixes of gateways, regions, dated versions, resource paths.

A wrong price is worse than none. So only what is known not to change the price is taken off a name, and a name without
a provider says who made it only where the maker alone serves it: ``llama3.2:3b`` may run on anybody's machine.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_SPELLINGS: Final = {
    "anthropic": "anthropic",
    "aws": "aws aws.bedrock aws_bedrock amazon_bedrock bedrock bedrock_converse amazon",
    "azure": "azure azure.ai.openai azure.ai.inference azure_openai azure_ai azureopenai",
    "cerebras": "cerebras",
    "cohere": "cohere cohere_chat",
    "deepseek": "deepseek",
    "fireworks": "fireworks fireworks_ai",
    "google": "google google_genai gcp gcp.gemini gcp.gen_ai gcp.vertex_ai gemini google_gla google_vertex vertex "
    "vertex_ai vertexai google_vertexai google_generative_ai",
    "groq": "groq",
    "mistral": "mistral mistral_ai mistralai",
    "moonshotai": "moonshotai moonshot moonshot_ai",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together": "together together_ai togetherai",
    "voyageai": "voyageai voyage voyage_ai",
    "x-ai": "x_ai xai grok",
}
"""
Ids of genai-prices 0.2, and what OpenTelemetry (``gen_ai.provider.name``, v1.41), LiteLLM, LangChain and pydantic-ai
call the same; written with an underscore where one has a hyphen.
"""

_IDS: Final = {name: own for own, names in _SPELLINGS.items() for name in names.split()}

_GATEWAYS: Final = frozenset({"openai", "litellm", "langchain", "pydantic_ai"})
"""Whose protocol or library is used for other providers' models, too: the model's own name says more."""

_MAKERS: Final = (
    ("openai", re.compile(r"gpt-(?!oss)|chatgpt-|o[134](-|$)|text-embedding-(3|ada)|ft:gpt-")),
    ("anthropic", re.compile(r"claude-")),
    ("google", re.compile(r"gemini-")),
    ("x-ai", re.compile(r"grok-\d")),
    ("cohere", re.compile(r"command-(a|r)(-|$)|command-r\d|embed-v\d")),
    ("mistral", re.compile(r"(mi|code|dev|magi|mini|pix|vox)stral-[\w-]*(latest|\d{4})$")),
    ("deepseek", re.compile(r"deepseek-(chat|reasoner)$")),
    ("perplexity", re.compile(r"sonar")),
    ("voyageai", re.compile(r"voyage-")),
)
"""Whose model it is when nobody says the provider: models that their maker alone serves under this name."""

_BEDROCK: Final = re.compile(
    r"((us|eu|apac|global|jp|au|in|us-gov)\.)?"
    r"(ai21|amazon|anthropic|cohere|deepseek|google|meta|mistral|moonshotai?|nvidia|openai|qwen|writer|zai)\.[a-z]"
)
_ARN: Final = re.compile(r"arn:aws[\w-]*:bedrock:[^/]*:(foundation-model|inference-profile)/(.+)")
_PATH: Final = re.compile(r"(?:projects/.*/|locations/.*/)?publishers/([\w-]+)/models/(.+)")
_ROUTE: Final = re.compile(r"(?:(?:converse|converse_like|invoke|us-east-[12]|us-west-2)/)+")
"""LiteLLM's routes to Bedrock, where the region does not change the price."""

_DATED: Final = re.compile(
    r"(.+?)(?:-v\d+(?::\d+)?|:\d+|[-@](?:20\d{6}|20\d\d-\d\d-\d\d|\d{4}|latest|default)|:latest)"
)
_REGION: Final = re.compile(r"[a-z-]+\.(?=[a-z])")
_COMPACT: Final = re.compile(r"-(20\d\d)([01]\d)([0-3]\d)(?=-|:|$)")

_LONGEST: Final = 300
"""A longer name is none."""


@lru_cache(1024)
def keys(provider: str | None, model: str) -> tuple[str, ...]:
    """
    Under which keys the user's prices may have *model*, best first: as it is called, then by its plainer names.

    What the user writes for a model holds for its dated versions too, under any spelling of the provider.
    """
    if len(model) > _LONGEST:
        return ()
    heads = [head for head in (provider, *_spellings(provider)) if head is not None]
    found = [key for name in _plainer(model) for key in (*(f"{head}/{name}" for head in heads), name)]
    return tuple(dict.fromkeys(found))


def references(provider: str | None, model: str) -> list[tuple[str, str]]:
    """As which (provider of genai-prices, model) *model* may be listed, best first."""
    name = model.strip().lower()
    if not name or len(name) > _LONGEST:
        return []
    home = provider_id(provider)
    return list(dict.fromkeys(_references(home, name)))


def provider_id(provider: str | None) -> str | None:
    """What genai-prices calls *provider*; as given when we know no other name, None when it only is a gateway."""
    if provider is None:
        return None
    name = provider.strip().lower()
    plain = re.sub(r"[- ]", "_", name)
    found = _IDS.get(plain)
    return found if found is not None else None if plain in _GATEWAYS else name


def dashed(name: str) -> str:
    """*name* with a compact date written as genai-prices writes it for OpenAI: ``-20251211`` as ``-2025-12-11``."""
    return _COMPACT.sub(r"-\1-\2-\3", name)


def _references(home: str | None, name: str) -> list[tuple[str, str]]:
    bedrock = _ARN.fullmatch(name)
    if name.startswith("arn:"):
        return [("aws", bedrock[2])] if bedrock is not None else []
    path = _PATH.fullmatch(name)
    if path is not None:
        return [("google", path[2])]
    name = name.removeprefix("models/")
    head, _, rest = name.partition("/")
    named = _IDS.get(head.replace("-", "_")) if rest else None
    if named == "aws":
        rest = _ROUTE.sub("", rest, count=1)
    found = [] if home is None else [(home, name)]
    if named is not None and home in (None, named, "openai"):
        found.append((named, rest))
    if home in (None, "openai", "anthropic") and _BEDROCK.match(name):
        found.append(("aws", name))
    return [*found, *_by_name(home, name)] if not rest else found


def _by_name(home: str | None, name: str) -> list[tuple[str, str]]:
    if home not in (None, "openai"):
        return []
    return [(maker, name) for maker, mark in _MAKERS if mark.match(name)]


def _spellings(provider: str | None) -> list[str]:
    own = provider_id(provider)
    return [own, *_SPELLINGS[own].split()] if own is not None and own in _SPELLINGS else []


def _plainer(model: str) -> list[str]:
    """*model*, and what is left of it without path, prefix, region and version."""
    found = [model]
    for name in found:
        head, _, rest = name.partition("/")
        shorter = (
            rest if rest and (head == "models" or head.lower().replace("-", "_") in _IDS) else None,
            _last(name),
            _without_version(name),
        )
        found.extend(each for each in shorter if each and each not in found)
    return found


def _last(name: str) -> str | None:
    arn, path = _ARN.fullmatch(name), _PATH.fullmatch(name)
    if arn is not None or path is not None:
        return (arn or path)[2]  # type: ignore[index]
    region = _REGION.match(name) if _BEDROCK.match(name) else None
    return name[region.end() :] if region is not None else None


def _without_version(name: str) -> str | None:
    dated = None if name.startswith("ft:") else _DATED.fullmatch(name)
    return dated[1] if dated is not None else None
