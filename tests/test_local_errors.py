from pathlib import Path

from tta_observe.local.errors import StoreError, StoreMissing, StoreRefused


def test_path_is_an_attribute_of_the_error():
    """
    A command that wants to name the file does not take messages apart.
    """
    error = StoreMissing(Path("/a/store.db"), "There is no store.")

    assert Path("/a/store.db") == error.path
    assert "There is no store." == str(error)


def test_one_except_clause_is_enough():
    """
    Whoever only wants to know that there is no answer catches one class.
    """
    assert issubclass(StoreMissing, StoreError)
    assert issubclass(StoreRefused, StoreError)
