"""What a service plays and asks before a person speaks."""
