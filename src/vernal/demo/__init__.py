"""The demo: a year of real flights, replayed through the production code path."""
