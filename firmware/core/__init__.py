"""What every process needs: clocks, messages, configuration, error hints, logging. Knows nothing of telephony."""
