"""Every panel variant of a VCF with its evidence, and who carries it."""
