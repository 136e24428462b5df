"""What pages in a browser are made of: templates, style, scripts, and data that cannot break out of them."""
