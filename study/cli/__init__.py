"""What every command shares: parser, console, exit statuses."""
