"""The site: `make docs` builds it offline from docs/ and from what the code says of itself."""
