"""From VCF and repeat files to who carries what, where it was looked for, and who is related to whom."""
