"""The parts of HTML pages: templates, styles, scripts, and safely embedded data."""
