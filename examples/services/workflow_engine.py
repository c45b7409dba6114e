"""tta-workflow-engine: answers a question from the cache, or has it answered by the gateway. Needs both addresses."""

from __future__ import annotations

import sys

from http_json import ask, serve

from tta_observe import configure, traced_primitive, workflow

CACHE, GATEWAY = sys.argv[1:]


@traced_primitive(type="retriever", action="recall")
def recall(question: str) -> str | None:
    """Ask the cache."""
    found: str | None = ask(CACHE, "/look-up", question=question)
    return found


@traced_primitive(type="processor", action="generate")
def generate(question: str) -> str:
    """Ask the gateway, and have the cache remember what it said."""
    answer: str = ask(GATEWAY, "/complete", question=question)
    ask(CACHE, "/remember", question=question, answer=answer)
    return answer


@workflow("answer-question")
def answer_question(question: str) -> str:
    """Do what one question takes."""
    return recall(question) or generate(question)


if __name__ == "__main__":
    configure(service_name="tta-workflow-engine")
    serve({"/answer": answer_question})
