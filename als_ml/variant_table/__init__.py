"""Every panel variant of a VCF with its evidence, and who carries it."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "table": ["variant_table"],
    },
)
