"""What `scripts/bench media` measures, part by part."""
