import logging

import pytest

from broker.errors import InvalidConfig, InvalidRequest
from broker.metadata.logger_levels import check_level, logger_levels, set_level


@pytest.fixture
def logger():
    found = logging.getLogger("broker.test_logger_levels")
    yield found
    found.setLevel(logging.NOTSET)


def test_the_brokers_loggers_are_listed_with_the_root(logger):
    levels = logger_levels()
    assert "root" in levels
    assert logger.name in levels
    assert all(name == "root" or name.startswith("broker") for name in levels)


def test_a_level_is_set_by_kafkas_name_and_taken_away_again(logger):
    set_level(logger.name, "FATAL")
    assert logger.level == logging.CRITICAL
    assert logger_levels()[logger.name] == "FATAL"
    set_level(logger.name, None)
    assert logger.level == logging.NOTSET


def test_unknown_loggers_and_levels_are_refused_with_kafkas_message(logger):
    with pytest.raises(InvalidConfig, match=r"Logger kafka\.x does not exist!"):
        check_level("kafka.x", "DEBUG")
    with pytest.raises(InvalidConfig) as refused:
        check_level("root", "FOO")
    assert str(refused.value) == (
        "Cannot set the log level of root to FOO as it is not a supported log level. "
        "Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"
    )
    with pytest.raises(InvalidRequest, match="Removing the log level of the root logger is not allowed"):
        check_level("root", None)
