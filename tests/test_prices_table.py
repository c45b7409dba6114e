"""Costs against what providers publish, and against a second price list."""

import json

import pytest
from prices import table

ROWS = table.rows()
KNOWN = json.loads(table.LITELLM.read_text(encoding="utf-8"))["models"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_cost_is_the_published_one(row):
    """
    Cached, written and reasoning tokens, tiers, peak hours: to a billionth of a dollar what the provider's page says.
    """
    assert table.agree(row.published, row.ours), f"published {row.published}, ours {row.ours}"


def test_the_table_is_wide():
    """
    A list that is right for one provider says little about the next.
    """
    assert len({(row.page["provider"], row.usage.model) for row in ROWS}) >= 25
    assert len({row.page["provider"] for row in ROWS}) >= 8
    assert len([row for row in ROWS if row.litellm(KNOWN) is not None]) >= 25


def test_each_row_says_where_and_when_it_was_read():
    """
    Prices change: without page and date nobody can check a number.
    """
    assert all(row.page["address"].split("/")[2:] and row.page["holds"].tzinfo for row in ROWS)


def test_differences_between_the_sources_are_listed():
    """
    Not averaged, and not hidden: whoever doubts a bill finds them.
    """
    text = table.README.read_text(encoding="utf-8")
    compared = text.split("Published against ")[1].split(" and LiteLLM")[0]
    now = table.markdown()
    if compared not in now:
        pytest.skip(f"needs {compared}: another release has other prices. Run: python tests/prices")

    assert now == text
