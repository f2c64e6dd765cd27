"""The pages and the REST interface: routes, templates, static files. No policy: the callserver decides."""

VERSION = "0.1.0"
"""As in pyproject.toml; told at /api/v1/health."""
