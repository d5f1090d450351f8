"""A shell that starts the suite in the background has it ignore Ctrl-C; tests that interrupt runs need it back."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
