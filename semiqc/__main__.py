"""``python -m semiqc``."""

import sys

from semiqc.cli import main

sys.exit(main())
