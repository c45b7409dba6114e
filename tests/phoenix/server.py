"""A Phoenix server on this machine, and questions to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from live.processes import free_port, listening, running, wait_for

ROOT = Path(__file__).parents[2]

_ALL_SPANS = """
query ($name: String!) {
  getProjectByName(name: $name) {
    tokenCountTotal
    spans(first: 1000) {
      edges { node { spanId name spanKind statusCode tokenCountPrompt tokenCountCompletion } }
    }
  }
}
"""


def program():
    """Where Phoenix is; skips where it could not be made."""
    place = Path(subprocess.check_output([ROOT / ".ci" / "phoenix", "where"], text=True).strip())
    if not (place.parents[1] / ".complete").exists():
        pytest.skip("needs Phoenix (made by .ci/phoenix)")
    return place


class Phoenix:
    """A server that runs. It takes OTLP over gRPC at :attr:`grpc`."""

    def __init__(self, url, grpc):
        self.url, self.grpc = url, grpc
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def close(self):
        """Close the connections to it."""
        self._client.close()

    def rest(self, path, **parameters):
        """What the REST API answers."""
        answer = self._client.get(f"/v1/{path}", params=parameters)
        answer.raise_for_status()
        return answer.json()["data"]

    def graphql(self, query, **variables):
        """What the GraphQL API answers."""
        answer = self._client.post("/graphql", json={"query": query, "variables": variables}).json()
        if answer.get("errors"):
            raise ValueError(answer["errors"])
        return answer["data"]

    def send(self, which):
        """Run a program that sends its spans here; what it counted by itself."""
        # Phoenix takes no metrics.
        environment = {**os.environ, "OTEL_METRICS_EXPORTER": "none"}
        command = [sys.executable, Path(__file__).parent / "send.py", which, f"http://{self.grpc}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def spans(self, project):
        """All spans of a project when no more of them arrive: fields of the GraphQL API, attributes of the REST API."""
        wait_for(lambda: self._settled(project), f"the spans of {project}")
        attributes = {span["context"]["span_id"]: span for span in self.rest(f"projects/{project}/spans", limit=1000)}
        found = self.graphql(_ALL_SPANS, name=project)["getProjectByName"]["spans"]["edges"]
        return [{**edge["node"], "attributes": attributes[edge["node"]["spanId"]]["attributes"]} for edge in found]

    def total_tokens(self, project):
        """What the page of the project says at its top."""
        return self.graphql(_ALL_SPANS, name=project)["getProjectByName"]["tokenCountTotal"]

    def _settled(self, project):
        before = self._count(project)
        time.sleep(1)
        return before and before == self._count(project)

    def _count(self, project):
        found = self.graphql(_ALL_SPANS, name=project)["getProjectByName"]
        return len(found["spans"]["edges"]) if found else 0


@contextmanager
def serving(directory):
    """A server while the block runs; what it stores is in *directory*."""
    phoenix = program()
    with listening(lambda port: _server(phoenix, directory, port)) as server:
        yield server


@contextmanager
def _server(phoenix, directory, port):
    grpc = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_WORKING_DIR": str(directory),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
    }
    with running("phoenix", [phoenix, "serve"], directory, environment) as process:
        process.line_with("Uvicorn running on")
        server = Phoenix(f"http://127.0.0.1:{port}", f"127.0.0.1:{grpc}")
        try:
            yield server
        finally:
            server.close()
