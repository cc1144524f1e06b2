"""Any laboratory's table to checked columns: cells, dates, words, and what is wrong with them."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "cells": ["Dialect", "read_values"],
        "columns": ["Column", "Table"],
        "files": ["read_coded", "read_table"],
        "problems": ["Problem", "Problems", "merged"],
        "reading_rules": ["ReadingRules"],
    },
)
