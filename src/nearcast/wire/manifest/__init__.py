"""DASH and HLS manifests: written by the packager, read by the player."""
