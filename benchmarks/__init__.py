"""What we measure, against whom: `python -m benchmarks` runs all, `python -m benchmarks NAME`
one.
"""
