"""The version: of the registry's distribution (`pyproject.toml`) and of its API document."""

VERSION = "0.1.0"  # of semver.org; CHANGELOG.md has a section for it
