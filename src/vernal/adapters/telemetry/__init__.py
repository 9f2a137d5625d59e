"""What Vernal tells of itself to the systems that watch it: pages over HTTP, metrics, traces and logs."""
