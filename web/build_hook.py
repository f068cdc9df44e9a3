"""Builds the pages into the package."""
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PagesBuildHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict) -> None:
        pass
