"""The flights example: a year of New York departures, replayed through the production code."""
