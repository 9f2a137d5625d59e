"""Fakes for tests of your own: the ports of Vernal without processes, registries or networks."""
