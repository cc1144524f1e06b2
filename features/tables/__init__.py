"""Any laboratory's table to checked columns: cells, dates, words, and what is wrong with them."""
