"""The work beside the queue, each kind in transactions and on a clock of its own."""
