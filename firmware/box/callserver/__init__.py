"""The callserver process: decides, and is the only writer of calls.db."""
