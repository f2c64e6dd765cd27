"""A contact from arrival to end: through service, queue, agent and record. The only place that decides."""
