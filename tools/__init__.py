"""What keeps a release true: figures of the documents, and what a release must be."""
