"""Alembic migrations of `calls.db`. They only add: an older version must run on newer data for roll-back."""
