"""One run: where its telemetry goes, what of it is observed, in the program itself and in its children."""

from __future__ import annotations

import json
import os
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tta_observe import _configure, semconv
from tta_observe._guard import guarded
from tta_observe._settings import file
from tta_observe.cli.run import children, instrumenting
from tta_observe.cli.run.notes import collect_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tta_observe._configure import Telemetry
    from tta_observe._patching import Rule
    from tta_observe._settings.file import FileSettings


@dataclass(frozen=True, slots=True)
class Session:
    """What a run was told; the same in all of its processes. *names* are those of the main module."""

    run_id: str
    settings: FileSettings
    program: str
    names: tuple[str, ...]
    service: str | None = None
    store: Path | None = None

    @classmethod
    def new(
        cls, settings: FileSettings, names: Sequence[str], *, program: str, service: str | None, store: Path | None
    ) -> Session:
        """The session of a program that is about to begin."""
        return cls(uuid.uuid4().hex, settings, program, tuple(names), service, store)

    def observe(self) -> list[Rule]:
        """
        Observe what the file names; returns what is left for the main module.

        Raises:
            ConfigurationError: an entry of the file is wrong.
        """
        return instrumenting.apply(self.settings, self.names)

    @guarded
    def configure(self) -> Telemetry:
        """Say where the telemetry goes, unless the program does so itself."""
        keywords = self.settings.under(os.environ)
        if self.service is None and "service_name" not in keywords and not _named(os.environ):
            keywords["service_name"] = self.program
        given = {"service_name": self.service, "store": self.store}
        keywords |= {name: value for name, value in given.items() if value is not None}
        keywords["resource_attributes"] = {**keywords.get("resource_attributes", {}), semconv.RUN_ID: self.run_id}
        return _configure.stand_in(**keywords)

    @guarded
    def follow_children(self) -> None:
        """Have the program's children join."""
        state = {
            "run_id": self.run_id,
            "file": None if self.settings.path is None else str(self.settings.path.absolute()),
            "program": self.program,
            "names": self.names,
            "service": self.service,
            "store": None if self.store is None else str(self.store.absolute()),
        }
        children.follow(state)


@guarded
def begin_in_child(said: str) -> None:
    """Join the run that *said* describes."""
    state: dict[str, Any] = json.loads(said)
    sys.path[:] = state["sys_path"]
    settings = file.FileSettings() if state["file"] is None else file.read(Path(state["file"]))
    store = None if state["store"] is None else Path(state["store"])
    session = Session(state["run_id"], settings, state["program"], tuple(state["names"]), state["service"], store)
    collect_notes()
    children.observe_main(session.observe())
    session.configure()
    session.follow_children()
    children.deliver_at_end(_configure.finish_before_multiprocessing)


def _named(environ: Any) -> bool:
    return bool(environ.get("OTEL_SERVICE_NAME")) or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
