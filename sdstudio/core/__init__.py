"""What things are: requests, events, settings, errors and paths. Knows neither Qt nor torch."""
