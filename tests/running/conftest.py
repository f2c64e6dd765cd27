"""A box that runs for all tests of a file."""
