"""A careless program: ``careless.py EXPORTER CANARY …``; prints what lies in its store, as hexadecimal digits."""

import contextlib
import os
import sys
from pathlib import Path

from subject import SUBJECT, say

import tta_observe

exporter, argument, result, prompt, _header, _variable, exception, password = sys.argv[1:]
SUBJECT.configure(exporter=exporter)


@tta_observe.traced_primitive(type="llm")
def complete(*messages, api_key=None):
    return {"model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 1}, "text": result}


@tta_observe.traced_primitive
def login(who, secret):
    raise ConnectionError(f"401 for {who}, key {exception}")


with tta_observe.workflow("chat"):
    complete(prompt, argument, api_key=argument)
    tta_observe.set_attributes({"password": password, "note": f"Authorization: Bearer {exception}"})
    with contextlib.suppress(ConnectionError):
        login("me", argument)
tta_observe.shutdown(2.0)
files = sorted(Path(os.environ["TTA_OBSERVE_STORE"]).parent.glob("store.db*"))
say(stored=[file.read_bytes().hex() for file in files])
