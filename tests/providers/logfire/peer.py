"""How Logfire is set up by its users, with a server of ours in the place of theirs."""

from __future__ import annotations

import os

import logfire


def set_up():
    logfire.configure(
        token="local",
        service_name="theirs",
        console=False,
        inspect_arguments=False,
        advanced=logfire.AdvancedOptions(base_url=os.environ["CLOUD"]),
    )


def span(name):
    return logfire.span(name)


def end():
    logfire.shutdown()
