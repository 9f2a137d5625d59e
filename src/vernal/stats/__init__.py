"""Pure statistics: numbers in, small frozen results out. Thresholds and verdicts live elsewhere."""
