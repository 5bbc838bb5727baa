"""Model families, independent of one another: delete a folder and its cards, the rest works."""
