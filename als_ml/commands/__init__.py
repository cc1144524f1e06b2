"""One file a command: its options, its job by one call of the application, and what it prints.

Heavy libraries are imported where a command runs, so that `--help` is instant.
"""

__all__: list[str] = []
