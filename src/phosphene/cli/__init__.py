"""The command line: text in, text out. Imports no torch; commands load it when they need it."""
