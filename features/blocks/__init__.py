"""The feature blocks, the landmark that they stop at, and the rows that they make."""
