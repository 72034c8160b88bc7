"""Which activation a module, a call or a formula computes."""
