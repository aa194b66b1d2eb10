"""Echo mode: the caller hears their own voice. `spec` describes it, `mode` answers its calls."""
