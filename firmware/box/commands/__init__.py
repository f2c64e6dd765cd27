"""What the `linebox` command does, one file a command."""
