"""Programs as data: graphs of equations, checked, run and shown."""
