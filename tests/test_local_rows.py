from tta_observe.local.rows import Health, ModelRow, Window


def test_score_leaves_cancelled_executions_out():
    """
    A user who closes the browser is not a failure of the system.
    """
    health = Health(success=3, error=1, cancelled=6)

    assert 0.75 == health.score
    assert 0.25 == health.error_rate
    assert 10 == health.total


def test_idle_system_has_no_score():
    """
    Neither 0 % nor 100 % would be true of a system that did nothing.
    """
    idle = Health(success=0, error=0, cancelled=2)

    assert None is idle.score
    assert None is idle.error_rate


def test_window_knows_its_length():
    """
    Whoever shows a window shows it in seconds.
    """
    assert 1.5 == Window(1_000_000_000, 2_500_000_000).seconds


def test_model_adds_its_tokens():
    """
    Models without a price are compared by all of their tokens.
    """
    assert 7 == ModelRow("openai", "gpt", 3, 4, None, 1).total_tokens
