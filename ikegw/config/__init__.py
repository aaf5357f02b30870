"""Configuration: TOML files to one frozen `Config`, or every problem at once, each with its file and line."""

from ikegw.config.changes import Changes, changes
from ikegw.config.loading import load
from ikegw.config.problems import ConfigurationError, Problem
from ikegw.config.settings import Config

__all__ = ["Changes", "Config", "ConfigurationError", "Problem", "changes", "load"]
