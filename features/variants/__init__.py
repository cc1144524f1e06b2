"""What a variant is, what is known of it and what it weighs."""
