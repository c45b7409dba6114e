"""The table of the README is made from figures: nothing is hidden, nothing made up."""

from __future__ import annotations

import rows_delivery  # noqa: F401 - fills the table of rows, like those below
import rows_exit  # noqa: F401
import rows_functions  # noqa: F401
import rows_memory  # noqa: F401
import rows_processes  # noqa: F401
from comparison import README, SHOWN, SUBJECTS, WORDS, comparison, full_run, with_part
from scorecard import ROWS

LONG = {"RSS +": 1.25, "own threads": 1, "calls": 1_000_000}


def told(passed=True, rounds=1, reported="", **figures):  # noqa: FBT002 - of a row
    """What a run of one library has written."""
    machine = {"package": "lib", "version": "1.0", "python": "3.11.7", "cpus": 2, "date": "2026-11-22"}
    rows = {
        "R9": {"passed": passed, "reported": reported, "numbers": {"RSS +": 400.4} | figures, "rounds": rounds},
        "R11": {"passed": True, "reported": "", "numbers": LONG, "rounds": rounds},
    }
    return {"machine": machine, "rows": rows}


def test_full_run_names_what_was_over_its_bar():
    """
    A sentence that only knows success would be an advertisement.
    """
    good, bad = full_run(told(rounds=3)), full_run(told(passed=False, rounds=3))

    assert good.startswith("2026-11-22, Python 3.11.7, 2 shared processors, 3 rounds of which the worst counts: 2 of 2")
    assert good.endswith("1,000,000 calls with the collector down: +1.2 MiB, threads: 1.")
    assert "1 of 2 rows at or under their bar; over it: R9." in bad
    assert "1 of 2 rows at or under their bar; reported, and not held to it: R9." in full_run(told(reported="a crowd"))


def test_figure_over_the_bar_is_bold_and_rows_that_one_library_lacks_are_left_out():
    """
    Figures stand side by side only where everybody has one.
    """
    of = {name: told(passed=name == "ours") for name in SUBJECTS}
    del of["stock"]["rows"]["R11"]
    table = comparison(of).splitlines()

    assert table[2].endswith(" | +400 MiB | **+400 MiB** | **+400 MiB** | **+400 MiB** |")
    assert "|  | at or under the bar |  | 1 of 1 | 0 of 1 | 0 of 1 | 0 of 1 |" == table[3]


def test_part_between_its_marks_is_replaced_and_nothing_else():
    """
    The README belongs to its authors.
    """
    text = "a\n<!-- peers -->\nold\n<!-- end -->\nb\n<!-- alerts -->\nkept\n<!-- end -->\n"

    assert text.replace("old", "new\nlines") == with_part(text, "peers", "new\nlines")


def test_readme_has_both_parts_filled_in():
    """
    An empty table says that nobody has measured.
    """
    text = README.read_text(encoding="utf-8")

    assert "rows at or under their bar" in text.partition("<!-- full run -->")[2].partition("<!-- end -->")[0]
    assert "| R11 |" in text.partition("<!-- peers -->")[2].partition("<!-- end -->")[0]


def test_every_row_for_other_libraries_is_in_the_table():
    """
    A row that is run and not shown might be one that we lose.
    """
    assert {name for name, row in ROWS.items() if row.peers} == set(SHOWN) == set(WORDS)
