"""Messages that say what to write instead."""

from tta_observe.errors import ConfigurationError, unknown_option


def test_unknown_option_proposes_the_closest():
    """
    A typing mistake is mended without opening the documentation.
    """
    error = unknown_option("configure", ["endpont"], ["endpoint", "headers"])

    assert "configure has no option 'endpont'. Did you mean 'endpoint'?" == str(error)


def test_unknown_option_lists_all_when_nothing_is_close():
    """
    A wild guess gets the whole choice.
    """
    error = unknown_option("configure", ["zzz"], ["headers", "endpoint"])

    assert "configure has no option 'zzz'. It takes: endpoint, headers." == str(error)


def test_configuration_error_is_a_value_error():
    """
    Callers who guard against bad values need not know our class.
    """
    assert issubclass(ConfigurationError, ValueError)
