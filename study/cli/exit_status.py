"""The exit statuses of every command."""

DONE = 0
FAILED = 1  # the study ended with failed trials, or its split audit failed
WRONG = 2  # the command or the data is wrong
INTERRUPTED = 130  # by Ctrl-C or SIGTERM: 128 + SIGINT, as shells count
OUTPUT_CLOSED = 141  # by a reader such as `head`: 128 + SIGPIPE
