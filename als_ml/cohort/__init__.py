"""The one door from files or a request to a cohort, and what is wrong with them."""
