"""The assignments: one file each, `<folder>/<slug>.py`. The library never imports them."""
