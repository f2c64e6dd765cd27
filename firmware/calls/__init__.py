"""Call control: contacts, calls, legs and segments, and the words in which they are told (CSTA event names)."""
