"""What is kept: tables, migrations, group commit, recordings."""
