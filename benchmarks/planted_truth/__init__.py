"""How often each verdict is right and wrong on made-up studies whose truth is known."""
